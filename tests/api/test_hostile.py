"""Requests that no client means well with: each is refused in due form, as the document says.

They are made by hand and sent over a plain socket, since clients put much of it right. What a body
may hold is in ``test_limits`` and ``test_strict_json``, what a form may be in the uploads' tests.
"""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from ledger_database import LedgerDatabases
from service_client import WITHIN_S, RunningService, running_service

from stemset.api.app import make_routes
from stemset.api.limits import MAX_BODY_BYTES

DOCUMENT: dict[str, Any] = make_routes().openapi()
OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if operation["operationId"] != "follow_events"  # it has no end
}
METHODS = {path: {m.upper() for m in operations} for path, operations in DOCUMENT["paths"].items()}
TAKING_JSON = [
    (method, path)
    for (method, path), operation in OPERATIONS.items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]
WITH_IDS = [(method, path) for method, path in OPERATIONS if "{" in path]
WITH_QUERIES = [
    (method, path)
    for (method, path), operation in OPERATIONS.items()
    if any(each["in"] == "query" for each in operation.get("parameters", ()))
]
JSON = {"content-type": "application/json"}
ODD_METHODS = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "GET", "POST", "DELETE")

ODD_IDS = (
    "..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "%0d%0aset-cookie:%20a=b",
    "%f0%9f%8e%b5",
    "%e2%80%ae",
    "%25252e",
    "-",
    "CON",
    "0",
    "-1",
    "99999999999999999999999999",
    "1e309",
    "NaN",
    "%27%3bdrop%20table%20jobs--",
    "%7b%7d",
    "x" * 3000,
)
ODD_QUERIES = (
    "%00",
    "%ff",
    "%ed%a0%80",
    "-1",
    "9" * 40,
    "NaN",
    "1e309",
    "true",
    "[]",
    "%27%3bdrop%20table%20jobs--",
    "%25",
    "%5c",
    "_",
    "eyJ9",
    "x" * 3000,
)
TEXTS = (
    '"\\u0000"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"' + "x" * 70_000 + '"',
    '"../../etc/passwd"',
)
ODD_BODIES = (
    b"",
    b"\0",
    b"\xff\xfe{}",
    b"{",
    b"nul",
    b"0",
    b"[]",
    b'"x"',
    b"null",
    b"{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"a":1,"a":2}',
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":1e999}',
    b'{"a":-Infinity}',
    b'{"__proto__":{"a":1}}',
    b" " * (MAX_BODY_BYTES + 1),
)
ODD_VALUES = ("null", "true", "-1", "0", "1e400", str(2**63), str(10**400), "[]", "{}", "[[[]]]")
ODD_TYPES = (
    None,
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "application/json; charset=utf-16",
    "application/problem+json",
    "application/json, application/json",
    "x",
    "\xff",
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Raw:
    """A client that sends what it is told to, to the letter."""

    def __init__(self, service: RunningService) -> None:
        self._where = (service.client.base_url.host, service.client.base_url.port)

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(*self._where, timeout=WITHIN_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> Iterator[Raw]:
    """The open service: nothing is refused for want of a token."""
    conninfo = ledger_databases.migrated()
    with running_service(tmp_path_factory.mktemp("hostile"), conninfo) as service:
        yield Raw(service)
    ledger_databases.drop(conninfo)


def check(answer: Answer, operation: dict[str, Any], sent: object) -> None:
    """An answer that the document names, in the one form that there is if it is a refusal."""
    assert answer.status < 500, (sent, answer)
    if answer.status < 400:
        assert str(answer.status) in operation["responses"], (sent, answer)
        return
    error = json.loads(answer.body)["error"]
    assert set(error) == {"code", "detail", "retryable", "request_id"}, (sent, error)
    assert len(answer.body) < 4500, sent
    if (answer.status, error["code"]) == (404, "not_found"):
        return  # an odd id made it another path
    content = operation["responses"][str(answer.status)]["content"]["application/json"]
    assert error["code"] in content["examples"], (sent, error)


def filled(path: str, value: str = "0") -> str:
    return re.sub(r"\{\w+\}", lambda _: value, path)


@pytest.mark.parametrize(("method", "path"), WITH_IDS, ids=" ".join)
def test_path_with_an_odd_id_is_answered_as_described(raw: Raw, method: str, path: str):
    names = re.findall(r"\{(\w+)\}", path)
    for name in names:
        for odd in ODD_IDS:
            place = filled(path.replace(f"{{{name}}}", odd))
            check(raw(method, place), OPERATIONS[method, path], place)


@pytest.mark.parametrize(("method", "path"), WITH_QUERIES, ids=" ".join)
def test_query_of_odd_values_is_answered_as_described(raw: Raw, method: str, path: str):
    operation = OPERATIONS[method, path]
    names = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    for name in names:
        for odd in ODD_QUERIES:
            for query in (f"{name}={odd}", f"{name}={odd}&{name}={odd}"):
                check(raw(method, f"{filled(path)}?{query}"), operation, query)


@pytest.mark.parametrize(("method", "path"), TAKING_JSON, ids=" ".join)
def test_body_of_odd_json_is_answered_as_described(raw: Raw, method: str, path: str):
    for body in ODD_BODIES:
        answer = raw(method, filled(path), body, JSON)
        check(answer, OPERATIONS[method, path], body[:40])


@pytest.mark.parametrize(("method", "path"), TAKING_JSON, ids=" ".join)
def test_body_with_one_odd_value_is_answered_as_described(raw: Raw, method: str, path: str):
    operation = OPERATIONS[method, path]
    names = properties(operation)
    for name in names:
        for odd in (*ODD_VALUES, *TEXTS):
            others = {other: example(schema) for other, schema in names.items() if other != name}
            body = f'{{"{name}": {odd}, {json.dumps(others)[1:-1]}'.rstrip(", ") + "}"
            answer = raw(method, filled(path), body.encode(), JSON)
            check(answer, operation, body[:200])


@pytest.mark.parametrize(("method", "path"), TAKING_JSON, ids=" ".join)
def test_body_of_another_type_is_answered_as_described(raw: Raw, method: str, path: str):
    for kind in ODD_TYPES:
        answer = raw(method, filled(path), b'{"a": 1}', {"content-type": kind} if kind else None)
        check(answer, OPERATIONS[method, path], kind)


@pytest.mark.parametrize("path", METHODS)
def test_method_that_is_none_of_the_paths_is_refused_and_the_others_named(raw: Raw, path: str):
    for method in set(ODD_METHODS) - METHODS[path]:
        answer = raw(method, filled(path))
        if method == "HEAD" and answer.status != 405:
            assert "GET" in METHODS[path]
            assert answer.body == b""
            assert answer.status < 500
            continue
        assert answer.status == 405, (method, answer)
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed - {"HEAD"} == METHODS[path]
        if method != "HEAD":
            assert json.loads(answer.body)["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer"),
        ("authorization", "Bearer " + "x" * 4000),
        ("authorization", "Bearer stm_\xff"),
        ("authorization", "Basic Og=="),
        ("authorization", "\xff"),
        ("host", ""),
        ("host", "["),
        ("host", "evil.example.com"),
        ("origin", "\xff"),
        ("origin", "http://["),
        ("sec-fetch-site", "cross-site"),
        ("x-request-id", "\xff" * 100),
        ("content-length", "-1"),
        ("content-length", "9" * 30),
        ("transfer-encoding", "x"),
        ("expect", "100-continue"),
        ("cookie", "a=" + "\xff" * 1000),
        ("range", "bytes=" + "0-1," * 500),
    ],
)
def test_header_of_an_odd_value_is_no_failure(raw: Raw, name: str, value: str):
    for method in ("GET", "POST"):
        answer = raw(method, "/api/jobs", headers={name: value})
        assert answer.status < 500, answer


def properties(operation: dict[str, Any]) -> dict[str, Any]:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return resolved(schema)["properties"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    for each in (schema, *schema.get("anyOf", ())):
        if "$ref" in each:
            return DOCUMENT["components"]["schemas"][each["$ref"].rpartition("/")[2]]
    return schema


def example(schema: dict[str, Any]) -> Any:
    """A value that a property may have."""
    kind = schema.get("type") or schema.get("anyOf", [{}])[0].get("type")
    pattern = schema.get("pattern") or schema.get("anyOf", [{}])[0].get("pattern", "")
    text = "0" * 64 if "64" in pattern else "x"
    return {"integer": 1, "array": [1], "object": {}}.get(kind, text)
