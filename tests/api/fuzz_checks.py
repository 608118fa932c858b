"""Checks of our own for schemathesis, which loads this file as its hooks."""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

# What a schema cannot say; the document and the refusal say it in words.
SAID_IN_WORDS = ("The body's JSON holds an integer beyond 64 bits", "Value error, a name")


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
    if response.status_code in {400, 422}:
        error = response.json()["error"]
        is_said = any(each in error["detail"] for each in SAID_IN_WORDS)
        assert error["code"] != "request_invalid" or is_said, error["detail"]


@schemathesis.check
def what_can_be_tried_again_says_when(_ctx: CheckContext, response: Response, _case: Case) -> None:
    """A refusal that may pass says after how long to come back."""
    if response.status_code >= 400 and response.json()["error"]["retryable"]:
        assert response.headers["retry-after"][0].isdigit()


def _codes(case: Case, status: int) -> set[str]:
    responses: dict[str, Any] = case.operation.definition.raw["responses"]
    content = responses.get(str(status), {}).get("content", {})
    return set(content.get("application/json", {}).get("examples", {}))
