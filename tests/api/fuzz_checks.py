"""Checks of our own for schemathesis, which loads this file as its hooks."""

import json
import os
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

REFUSED_FOR_ITS_MEANING = (400, 413, 422)
ACCEPTED_STATUSES = (
    *("2xx", "3xx", "401", "403", "404", "409", "429", "5xx"),  # the tool's own
    *map(str, REFUSED_FOR_ITS_MEANING),
)
"""What may be answered to what the document describes; of the last three, the tool would take none,
and a check of ours those that are about the meaning, of which a schema cannot speak."""

# What a schema cannot say; the document and the refusal say it in words.
SAID_IN_WORDS = (
    "The body's JSON holds an integer beyond 64 bits",
    "Value error, a name",
    "is no e-mail address",
)
FORM = ("request_invalid", "request_too_large")
"""Codes of refusals that are about a request's form."""

_ANSWERED = os.environ.get("STEMSET_TEST_ANSWERED")


@schemathesis.hook
def before_load_schema(_context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Take the stream's schema out: it is the whole's, and the tool holds events against it."""
    answer = raw_schema["paths"]["/api/events"]["get"]["responses"]["200"]
    answer["content"]["text/event-stream"].pop("schema", None)


@schemathesis.hook
def after_call(_context: HookContext, case: Case, response: Response) -> None:
    """Note what was called and how it was answered, for the test to look at."""
    if _ANSWERED is None:
        return
    called = case.operation.definition.raw["operationId"]
    with Path(_ANSWERED).open("a") as notes:
        notes.write(json.dumps([called, response.status_code]) + "\n")


@schemathesis.check
def refusal_is_described(_ctx: CheckContext, response: Response, case: Case) -> None:
    """A refusal has the one form that there is, and a code that the document names for it."""
    if response.status_code < 400 or response.status_code == 405:
        return
    error = response.json()["error"]
    assert set(error) == {"code", "detail", "retryable", "request_id"}, error
    named = _codes(case, response.status_code)
    assert error["code"] in named, f"{error['code']!r} is none of {sorted(named)}"


@schemathesis.check
def described_request_is_not_invalid(_ctx: CheckContext, response: Response, case: Case) -> None:
    """What the document describes is refused, if at all, for what it means and not for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code in REFUSED_FOR_ITS_MEANING:
        error = response.json()["error"]
        is_said = any(each in error["detail"] for each in SAID_IN_WORDS)
        assert error["code"] not in FORM or is_said, error["detail"]


@schemathesis.check
def what_can_be_tried_again_says_when(_ctx: CheckContext, response: Response, _case: Case) -> None:
    """A refusal that may pass says after how long to come back."""
    if response.status_code >= 400 and response.json()["error"]["retryable"]:
        assert response.headers["retry-after"][0].isdigit()


def _codes(case: Case, status: int) -> set[str]:
    responses: dict[str, Any] = case.operation.definition.raw["responses"]
    content = responses.get(str(status), {}).get("content", {})
    return set(content.get("application/json", {}).get("examples", {}))
