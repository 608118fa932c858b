"""What attempts cost whose worker was lost, or which nobody followed to their end."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_jobs import OTHER, REQUEST, accept, in_ledger, leave_whole, outcomes
from priced_attempts import RATE, begun, ended, passes, taken

from stemset.dispatch.connection import Connection
from stemset.dispatch.cost import Cost
from stemset.dispatch.course import Course
from stemset.dispatch.threads import Threads
from stemset.errors import AttemptUsed, Interrupted
from stemset.jobs import attempts, costs
from stemset.jobs.attempts import OpenAttempt, Outcome
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue
from stemset.jobs.task import Separating, Workshop
from stemset.orders.messages import Failure, Order, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.runner import MakeLinks
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

pytestmark = pytest.mark.alone

FAR = replace(REQUEST, queue=Queue.WORKER)
FAR_OTHER = replace(OTHER, queue=Queue.WORKER, output_name="other_cdcdcdcd")
A_MOMENT_S = 1.5
WORK_S, WAKE_S = 1.0, 2.0


async def passed(seconds: float) -> float:
    """Wait; a busy machine waits for longer. Returns for how long."""
    begun_s = time.monotonic()
    await asyncio.sleep(seconds)
    return time.monotonic() - begun_s


class DyingRunner:
    """A worker that dies over its first order, wakes again and knows nothing of it.

    Attributes:
        worked_s: How long it really was at work.
        woke_s: How long it really took to wake again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.worked_s = self.woke_s = 0.0

    async def run(
        self,
        order: Order,
        make_links: MakeLinks | None = None,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[Report]:
        def report(seq: int, status: Status, phase: Phase | None = None) -> Report:
            return Report(
                job_id=order.job_id, attempt=order.attempt, seq=seq, status=status, phase=phase
            )

        yield report(0, Status.ACCEPTED)
        yield report(1, Status.PROGRESS, Phase.SEPARATING)
        self.worked_s += await passed(WORK_S)
        if order.attempt == 1:
            yield report(-1, Status.PROGRESS, Phase.WAKING)
            self.woke_s += await passed(WAKE_S)
            yield report(0, Status.ACCEPTED)
            used = Failure.of(AttemptUsed("begun before"))
            yield report(1, Status.ERROR).model_copy(update={"error": used})
            return
        leave_whole(self._store, order)
        yield report(2, Status.COMPLETE, Phase.UPLOADING)

    async def cancel(self, job_id: str) -> None:
        raise AssertionError(f"nobody cancels {job_id}")

    async def close(self) -> None:
        """Nothing is held."""


async def cost(database: Database, job: Job) -> Cost:
    async with database.reading() as connection:
        return (await costs.of_jobs(connection, [job.id]))[job.id]


async def heard(database: Database, attempt: OpenAttempt, *, works: bool = True) -> None:
    async with database.transaction() as connection:
        await attempts.touch(connection, attempt, works=works)


async def found_ended(
    database: Database, attempt: OpenAttempt, outcome: Outcome = Outcome.COMPLETE
) -> None:
    """It ended, and nobody had followed it."""
    async with database.transaction() as connection:
        await attempts.end(connection, attempt, outcome)


def seconds(cost: Cost) -> object:
    return pytest.approx((cost.start_s, cost.computing_s, cost.tail_s), abs=A_MOMENT_S)


def test_worker_that_dies_in_the_middle_costs_until_then_and_its_second_start(
    database_conninfo: str, tmp_path: Path
) -> None:
    async def scenario(database: Database) -> None:
        store = open_store(StoreSettings(kind="folder", bucket=str(tmp_path)))
        runner = DyingRunner(store)
        connection = Connection(store, runner, pauses_s=(0.01, 0.01))
        workshop = Workshop(
            database=database,
            threads=Threads(4),
            connections={Queue.WORKER: connection},
            max_duration_s=60.0,
            rates={Queue.WORKER: RATE},
        )
        job = await accept(database, FAR)
        begun_s = time.monotonic()
        await Separating(workshop).run(job.id)
        # What the service itself takes, which is more on a busy machine: it counts somewhere.
        between_s = time.monotonic() - begun_s - runner.woke_s - runner.worked_s

        found = await cost(database, job)
        assert await outcomes(database, job.id) == ["passed_over", "complete"]
        assert found.start_s == pytest.approx(runner.woke_s, abs=0.3 + between_s)
        assert found.computing_s == pytest.approx(runner.worked_s, abs=0.3 + between_s)
        assert found.tail_s == pytest.approx(RATE.idle_s, abs=0.1)

    in_ledger(database_conninfo, scenario)


def test_attempt_that_nobody_followed_costs_until_it_was_last_heard_of_and_its_tail(
    database_conninfo: str,
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 60)
        await heard(database, attempt)
        await passes(database, 36_000)  # the service was off
        await found_ended(database, attempt)

        assert seconds(await cost(database, job)) == (0, 60, 300)

    in_ledger(database_conninfo, scenario)


def test_attempt_whose_end_another_way_tells_at_once_costs_until_now(
    database_conninfo: str,
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 60)
        await heard(database, attempt)
        await passes(database, 5)
        await found_ended(database, attempt, Outcome.CANCELLED)

        assert seconds(await cost(database, job)) == (0, 65, 300)

    in_ledger(database_conninfo, scenario)


def test_worker_that_came_back_is_no_sign_of_the_attempt_s_work(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 60)
        await heard(database, attempt)
        await passes(database, 36_000)
        await heard(database, attempt, works=False)  # another one, which says that it was used
        await ended(database, attempt, Outcome.PASSED_OVER, asked_s=40.0)

        assert seconds(await cost(database, job)) == (0, 60, 300)

    in_ledger(database_conninfo, scenario)


def test_worker_that_never_came_back_costs_until_it_was_lost(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 660)
        lost = {"asked_s": 600.0, "was_lost": True, "is_awaited": True}
        await ended(database, attempt, Outcome.FAILED, **lost)

        assert seconds(await cost(database, job)) == (0, 60, 300)

    in_ledger(database_conninfo, scenario)


def test_worker_that_was_told_to_stop_does_not_idle(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 60)
        failure = Failure.of(Interrupted("The worker is shutting down."))
        async with database.transaction() as connection:
            await attempts.end(
                connection, attempt, Outcome.INTERRUPTED, failure=failure, course=Course()
            )

        assert seconds(await cost(database, job)) == (0, 60, 0)

    in_ledger(database_conninfo, scenario)


@pytest.mark.parametrize(("off_s", "start_s"), [(100, 120), (36_000, 20)])
def test_order_that_nobody_took_is_asked_for_anew_once_the_worker_sleeps(
    database_conninfo: str, off_s: int, start_s: int
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        await begun(database, job)
        await passes(database, off_s)  # the service was off
        attempt = await begun(database, job)
        await passes(database, 20)
        await taken(database, attempt)
        await ended(database, attempt)

        assert seconds(await cost(database, job)) == (start_s, 0, 300)

    in_ledger(database_conninfo, scenario)


def test_order_that_waits_for_a_worker_cuts_the_tail_though_it_is_taken_later(
    database_conninfo: str,
) -> None:
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        one = await begun(database, first)
        await taken(database, one)
        other = await begun(database, second)  # the worker is at the first
        await passes(database, 50)
        await ended(database, one)
        await passes(database, 5)
        waiting = await cost(database, first)
        await taken(database, other)
        await passes(database, 40)
        await ended(database, other)

        assert seconds(waiting) == (0, 50, 0)
        assert seconds(await cost(database, first)) == (0, 50, 0)
        assert seconds(await cost(database, second)) == (5, 40, 300)

    in_ledger(database_conninfo, scenario)
