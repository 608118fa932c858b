import json
import subprocess
import sys
from collections import Counter
from typing import Any

import httpx
import pytest

from stemset.api.app import make_routes
from stemset.api.openapi import TAGS
from stemset.errors import StemsetError

DOCUMENT: dict[str, Any] = make_routes().openapi()
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
NEEDS_NO_TOKEN = {
    "get /livez",
    "get /readyz",
    "get /api/media/{profile}/{output_name}/{attempt}/{file}",  # its address is signed
    "get /api/exports/{export_id}/file",  # its address is signed
    "post /api/jobs/{job_id}/callback",  # it is signed
    "get /api/pairing",  # it says who calls
    "post /api/pairing",  # a code is needed
    "delete /api/pairing",  # it gives up what the caller has
    "get /api/pairing/authority.crt",  # what it vouches for has no secrets
    "get /api/session",  # it says who calls
    "delete /api/session",  # it gives up what the caller has
    "get /api/sign-in",  # whoever signs in is nobody yet
    "get /api/sign-in/callback",  # the provider vouches for the caller
}
HTTP_CODES = {"request_invalid", "request_too_large", "request_timeout", "range_unsatisfiable"}
EACH = pytest.mark.parametrize("name", OPERATIONS)


def codes(operation: dict[str, Any], status: str) -> set[str]:
    return set(operation["responses"][status]["content"]["application/json"]["examples"])


@EACH
def test_operation_is_named_tagged_and_summarised(name: str):
    operation = OPERATIONS[name]

    assert operation["operationId"].isidentifier()
    assert operation["tags"]
    assert set(operation["tags"]) <= {tag["name"] for tag in TAGS}
    assert 0 < len(operation["summary"]) <= 100
    assert not operation["summary"].endswith(".")
    assert "``" not in operation["summary"] + operation.get("description", "")
    assert "Raises:" not in operation.get("description", "")


@EACH
def test_operation_declares_who_may_call(name: str):
    operation = OPERATIONS[name]

    assert ("security" in operation) == (name not in NEEDS_NO_TOKEN)
    assert "origin_refused" in codes(operation, "403")
    if "security" in operation:
        assert operation["security"] == [{"token": []}, {"pairing": []}, {"session": []}]
        assert codes(operation, "401") >= {"unauthenticated"}
        assert codes(operation, "403") >= {"forbidden", "origin_refused"}
        assert "database_unavailable" in codes(operation, "503")


@EACH
def test_operation_declares_what_is_invalid(name: str):
    operation = OPERATIONS[name]

    if operation.get("parameters") or operation.get("requestBody"):
        assert "request_invalid" in codes(operation, "422")
    if operation.get("requestBody"):
        assert "request_too_large" in codes(operation, "413")
        assert "request_timeout" in codes(operation, "408")


@EACH
def test_operation_refuses_in_one_form(name: str):
    for status, answer in OPERATIONS[name]["responses"].items():
        if status >= "400":
            (kind, content), *others = answer["content"].items()
            assert (kind, others) == ("application/json", [])
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            for code, example in content["examples"].items():
                assert example["value"]["error"]["code"] == code


@EACH
def test_operation_says_what_it_answers(name: str):
    successes = [s for s in OPERATIONS[name]["responses"] if s < "400"]

    assert successes
    for status in successes:
        answer = OPERATIONS[name]["responses"][status]
        assert status in {"204", "303", "304"} or all(
            content.get("schema") or content.get("itemSchema")
            for content in answer["content"].values()
        )


def test_operation_ids_are_unique():
    ids = Counter(operation["operationId"] for operation in OPERATIONS.values())

    assert ids.most_common(1)[0][1] == 1


def test_schemas_are_ours_and_every_reference_leads_to_one():
    schemas = set(DOCUMENT["components"]["schemas"])
    text = json.dumps(DOCUMENT)
    references = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert "HTTPValidationError" not in text
    assert references <= schemas


def test_codes_are_those_of_the_tree_or_of_http():
    known = HTTP_CODES | leaves(StemsetError)
    used = {
        code
        for operation in OPERATIONS.values()
        for status in operation["responses"]
        if status >= "400"
        for code in codes(operation, status)
    }

    assert used <= known


def leaves(branch: type[StemsetError]) -> set[str]:
    below = {code for each in branch.__subclasses__() for code in leaves(each)}
    return below | ({branch.code} if "code" in vars(branch) else set())


def test_document_is_served_to_whoever_calls(client: httpx.Client):
    assert client.get("/api/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/docs", "/openapi.json"])
def test_document_comes_without_pages_that_load_from_other_hosts(client: httpx.Client, path: str):
    assert client.get(path).status_code == 404


def test_command_prints_the_document():
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-m", "stemset.api.openapi"],
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert json.loads(printed.stdout) == DOCUMENT
    assert not printed.stderr
