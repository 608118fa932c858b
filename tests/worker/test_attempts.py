"""The one attempt at a time, before a computing side that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from running_worker import make_order

from stemset.errors import Interrupted
from stemset.orders.messages import Links, Order, Ready, Report, Status
from stemset.worker.attempts import Attempts
from stemset.worker.callbacks import Callbacks

WITHIN_S = 5.0


class Computing:
    """A computing side that says what it is told, and never ends when it should."""

    ready = Ready(device="fake", engine="0")

    def __init__(self, say: Callable[[Order], AsyncIterator[Report]]) -> None:
        self._say = say

    def run(self, order: Order) -> AsyncIterator[Report]:
        return self._say(order)

    async def send_links(self, links: Links) -> None:
        """Ignore them."""

    async def cancel(self, job_id: str) -> None:
        """Ignore it."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def silent(order: Order) -> AsyncIterator[Report]:
    await asyncio.Event().wait()
    yield Report(job_id=order.job_id, attempt=1, seq=1, status=Status.COMPLETE)


async def without_end(order: Order) -> AsyncIterator[Report]:
    yield Report(job_id=order.job_id, attempt=1, seq=1, status=Status.PROGRESS)


async def broken(order: Order) -> AsyncIterator[Report]:
    yield Report(job_id=order.job_id, attempt=1, seq=1, status=Status.PROGRESS)
    raise RuntimeError("this is no error of ours")


async def stopped(order: Order) -> AsyncIterator[Report]:
    yield Report(job_id=order.job_id, attempt=1, seq=1, status=Status.PROGRESS)
    raise Interrupted("It was stopped.")


async def last_report(say: Callable[[Order], AsyncIterator[Report]]) -> Report:
    attempts = Attempts(Computing(say), Callbacks(()))
    async with asyncio.timeout(WITHIN_S):
        *_, last = [each async for each in attempts.take(make_order("job")).follow(WITHIN_S)]
    assert attempts.running is None
    return last


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (without_end, "computing_crashed"),
        (broken, "computing_crashed"),
        (stopped, "interrupted"),
    ],
)
def test_attempt_whose_computing_side_fails_ends_all_the_same(
    say: Callable[[Order], AsyncIterator[Report]], code: str
):
    last = asyncio.run(last_report(say))

    assert last.error
    assert (last.error.code, last.error.retryable, last.is_last) == (code, True, True)


def test_attempt_whose_computing_side_does_not_stop_ends_as_interrupted():
    async def stop() -> Report:
        attempts = Attempts(Computing(silent), Callbacks(()))
        reports = attempts.take(make_order("job"))
        await attempts.stop(0.05)
        assert attempts.running is None
        assert attempts.ready is None
        return reports.latest

    last = asyncio.run(stop())

    assert last.error
    assert last.error.code == "interrupted"


def test_attempt_after_stop_is_refused():
    async def order_late() -> None:
        attempts = Attempts(Computing(silent), Callbacks(()))
        await attempts.stop(0.01)
        attempts.take(make_order("job"))

    with pytest.raises(Interrupted, match="shutting down"):
        asyncio.run(order_late())
