"""What a call that is refused is answered with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest

from stemset import errors
from stemset.errors import OrderError, StemsetError
from stemset.worker import app as app_module
from stemset.worker.admission import Admission
from stemset.worker.answers import BY_KIND, status_of
from stemset.worker.app import make_app
from stemset.worker.attempts import Attempts
from stemset.worker.callbacks import Callbacks
from stemset.worker.checkup import Checkup

JSON = {"content-type": "application/json"}


class Absent:
    """A computing side that is not there."""


def call(method: str, path: str, **request: Any) -> httpx.Response:
    """Call an application that has no computing side."""

    async def ask() -> httpx.Response:
        admission, absent, callbacks = Admission(), cast("Any", Absent()), Callbacks(())
        checkup = Checkup(admission, absent, callbacks)
        app = make_app(admission, Attempts(absent, callbacks), checkup)
        transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **request)

    return asyncio.run(ask())


def test_answer_to_a_call_that_fails_shows_no_inside():
    answer = call("GET", "/readyz")

    assert answer.status_code == 500
    assert answer.json() == {
        "error": {
            "code": "internal",
            "detail": "The worker failed; see its log.",
            "retryable": True,
        }
    }


def test_answer_to_a_body_that_does_not_come_is_a_timeout(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app_module, "_BODY_WITHIN_S", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    answer = call("POST", "/process", content=slow(), headers=JSON)

    assert answer.status_code == 408
    assert answer.json()["error"]["code"] == "request_timeout"
    assert answer.headers["connection"] == "close"


LEAVES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, StemsetError) and "code" in vars(each)
]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_answer_status_is_the_callers_fault_or_ours(leaf: type[StemsetError]):
    status = status_of(leaf("what"))

    assert status in set(BY_KIND.values()) | {500}
    assert (status == 500) != issubclass(leaf, (OrderError, *BY_KIND))
