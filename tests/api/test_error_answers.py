import asyncio
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect

from stemset import errors as tree
from stemset.api._answers import answer_errors
from stemset.api.errors import BY_KIND, errors, refusal, status_of
from stemset.errors import (
    DatabaseUnavailable,
    Forbidden,
    JobComplete,
    JobNotFound,
    JobOpen,
    ServiceBusy,
    StemsetError,
    Unauthenticated,
)

LEAVES = [
    each
    for each in vars(tree).values()
    if isinstance(each, type) and issubclass(each, StemsetError) and "code" in vars(each)
]


def call(raised: Exception) -> httpx.Response:
    """The answer of a route that raises."""
    app = FastAPI()
    answer_errors(app)

    @app.get("/")
    async def route() -> None:
        raise raised

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/")

    return asyncio.run(ask())


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_status_of_every_leaf_is_given(leaf: type[StemsetError]):
    assert 400 <= status_of(leaf("what")) < 600
    assert status_of(leaf("what")) in BY_KIND.values()


@pytest.mark.parametrize("kind", BY_KIND, ids=lambda kind: kind.__name__)
def test_status_table_has_no_row_that_another_one_hides(kind: type[StemsetError]):
    leaves = [leaf for leaf in LEAVES if issubclass(leaf, kind)]

    decided = [next(row for row in BY_KIND if issubclass(leaf, row)) for leaf in leaves]
    assert kind in decided


@pytest.mark.parametrize(
    "leaf", [each for each in LEAVES if each.retryable], ids=lambda leaf: leaf.code
)
def test_status_of_what_can_be_tried_again_is_not_final(leaf: type[StemsetError]):
    assert status_of(leaf("what")) in {403, 409, 429, 500, 502, 503, 507}


def test_answer_holds_code_detail_and_whether_to_retry():
    answer = call(JobNotFound("There is no job 'x'."))

    assert answer.status_code == 404
    error = {"code": "job_not_found", "detail": "There is no job 'x'.", "retryable": False}
    assert answer.json() == {"error": error}
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("leaf", [DatabaseUnavailable, ServiceBusy])
def test_answer_to_what_can_be_tried_again_says_when(leaf: type[StemsetError]):
    answer = call(leaf("Not now."))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_answer_without_caller_says_how_to_call():
    assert call(Unauthenticated("Who?")).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in call(Forbidden("No.")).headers


def test_answer_to_a_failure_shows_no_inside():
    answer = call(RuntimeError("secret"))

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error"]["code"] == "internal"


def test_answer_to_a_client_that_went_away_is_no_failure():
    assert call(ClientDisconnect()).status_code == 400


def test_answer_holds_what_no_text_can_be_written_with():
    body = bytes(refusal(JobNotFound("half \ud800 a pair")).body)

    assert "half ? a pair" in body.decode()


def test_declared_errors_are_examples_by_status():
    declared = errors(JobNotFound, JobOpen, JobComplete)

    assert set(declared) == {404, 409}
    content = declared[409]["content"]["application/json"]
    assert set(content["examples"]) == {"job_open", "job_complete"}
    assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
    assert content["examples"]["job_open"]["value"]["error"]["code"] == "job_open"
