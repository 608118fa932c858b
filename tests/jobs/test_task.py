"""The task: one attempt after the other, until the job has ended once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_jobs import (
    REQUEST,
    Act,
    ToldRunner,
    accept,
    count,
    hang,
    in_ledger,
    leave_whole,
    look,
    outcomes,
    separating,
    succeed,
)
from priced_attempts import begun
from sqlalchemy import text

from stemset.errors import (
    AttemptUsed,
    ComputingCrashed,
    CorruptAudio,
    InputChanged,
    Interrupted,
    StemsetError,
    UnsupportedVersion,
)
from stemset.jobs import attempts as jobs_attempts
from stemset.jobs import ledger, recordings
from stemset.jobs.attempts import Outcome
from stemset.jobs.database import Database
from stemset.jobs.events import Kind
from stemset.jobs.job import State
from stemset.jobs.task import Again, Separating
from stemset.jobs.telling import Telling
from stemset.orders.messages import Failure, Order, Report, Status
from stemset.storage.outputs import attempts
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(StoreSettings(kind="folder", bucket=str(tmp_path)))


def failing(error: StemsetError) -> Act:
    async def act(_runner: ToldRunner, _order: Order) -> Failure:
        return Failure.of(error)

    return act


async def run_to_the_end(task: Separating, job_id: str) -> int:
    """Run the task as the queue does. Returns how often it was taken up."""
    for taken in range(1, 50):
        try:
            await task.run(job_id)
        except Again as again:
            await asyncio.sleep(again.pause_s / 1000)  # nothing else waits in this queue
        else:
            return taken
    raise AssertionError("the job does not end")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.01)


def test_attempt_that_succeeds_completes_the_job_and_is_published(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        task, runner = separating(database, store, succeed)
        job = await accept(database)
        await task.run(job.id)

        ended = await look(database, job.id)
        assert (ended.state, ended.stems) == (State.COMPLETE, ("vocals", "drums"))
        assert await outcomes(database, job.id) == ["complete"]
        assert await count(database, "usage") == 1
        assert b'"attempt"' in store.read("outputs/band/take_abababab/metadata.json")
        assert [order.attempt for order in runner.orders] == [1]

    in_ledger(database_conninfo, scenario)


@pytest.mark.parametrize(
    ("acts", "ends", "expected"),
    [
        ([failing(ComputingCrashed("x")), succeed], State.COMPLETE, ["failed", "complete"]),
        ([failing(ComputingCrashed("x"))], State.ERROR, ["failed"] * 3),
        ([failing(CorruptAudio("x")), succeed], State.ERROR, ["failed"]),
        ([failing(AttemptUsed("x")), succeed], State.COMPLETE, ["passed_over", "complete"]),
        (
            [*[failing(Interrupted("x"))] * 4, succeed],
            State.COMPLETE,
            [*["interrupted"] * 4, "complete"],
        ),
        (
            [failing(UnsupportedVersion("x")), succeed],
            State.COMPLETE,
            ["interrupted", "complete"],
        ),
        ([failing(UnsupportedVersion("x"))], State.ERROR, ["interrupted"] * 20),
        (
            [failing(ComputingCrashed("x")), failing(Interrupted("x")), succeed],
            State.COMPLETE,
            ["failed", "interrupted", "complete"],
        ),
    ],
)
def test_attempts_that_fail_are_followed_by_others_as_long_as_the_budget_lasts(
    database_conninfo: str, store: Store, acts: list[Act], ends: State, expected: list[str]
) -> None:
    async def scenario(database: Database) -> None:
        task, _ = separating(database, store, *acts)
        job = await accept(database)
        await run_to_the_end(task, job.id)

        assert (await look(database, job.id)).state is ends
        assert await outcomes(database, job.id) == expected

    in_ledger(database_conninfo, scenario)


def test_job_of_another_version_becomes_one_of_this_version(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        task, runner = separating(database, store, hang)
        other = await accept(database, replace(REQUEST, fingerprint="old"))
        dying = asyncio.create_task(task.run(other.id))
        await until(lambda: bool(runner.orders))
        wanted = runner.orders[0].fingerprint
        same = await accept(database, replace(REQUEST, fingerprint=wanted))
        dying.cancel()
        await asyncio.wait({dying})

        assert wanted != "old"
        assert same.id == other.id

    in_ledger(database_conninfo, scenario)


def test_job_of_another_version_takes_the_stems_that_this_version_made_meanwhile(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        task, runner = separating(database, store, succeed)
        first = await accept(database)
        await task.run(first.id)
        wanted = runner.orders[0].fingerprint
        old = await accept(database, replace(REQUEST, fingerprint="old"))
        await task.run(old.id)
        same = await accept(database, replace(REQUEST, fingerprint=wanted))

        assert same.id == first.id != old.id
        ended = await look(database, old.id)
        assert (ended.fingerprint, ended.state) == (wanted, State.COMPLETE)
        assert len(runner.orders) == 1

    in_ledger(database_conninfo, scenario)


def test_job_whose_model_this_version_does_not_know_fails(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        task, runner = separating(database, store, succeed)
        job = await accept(database, replace(REQUEST, strategy={"_": "forgotten"}))
        await task.run(job.id)

        failure = (await look(database, job.id)).error
        assert failure is not None
        assert "forgotten" in failure.detail
        assert runner.orders == []

    in_ledger(database_conninfo, scenario)


def test_process_that_dies_is_succeeded_by_one_that_joins_the_same_attempt(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        task, first = separating(database, store, hang)
        dying = asyncio.create_task(task.run(job.id))
        await until(lambda: bool(first.orders))
        dying.cancel()
        await asyncio.wait({dying})
        other, second = separating(database, store, succeed)
        await other.run(job.id)

        assert [order.attempt for order in first.orders + second.orders] == [1, 1]
        assert first.cancelled == []
        assert await outcomes(database, job.id) == ["complete"]

    in_ledger(database_conninfo, scenario)


def test_attempt_whose_end_nobody_heard_is_found_whole(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        task, first = separating(database, store, hang)
        dying = asyncio.create_task(task.run(job.id))
        await until(lambda: bool(first.orders))
        dying.cancel()
        await asyncio.wait({dying})
        leave_whole(store, first.orders[0])
        other, second = separating(database, store, hang)
        await other.run(job.id)

        assert second.orders == []
        assert (await look(database, job.id)).state is State.COMPLETE
        assert await outcomes(database, job.id) == ["complete"]

    in_ledger(database_conninfo, scenario)


def test_job_that_is_cancelled_while_it_is_worked_at_is_ended_at_the_runner(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        task, runner = separating(database, store, hang)
        working = asyncio.create_task(task.run(job.id))
        await until(lambda: bool(runner.orders))
        async with database.transaction() as connection:
            await ledger.cancel(connection, job.id)
        task.hear(Kind.JOB, job.id)
        await working

        assert runner.cancelled == [job.id]
        assert (await look(database, job.id)).state is State.CANCELLED
        assert await outcomes(database, job.id) == ["cancelled"]
        assert await count(database, "usage") == 0

    in_ledger(database_conninfo, scenario)


def test_job_that_was_cancelled_while_nobody_was_at_it_is_ended_at_the_runner(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        task, first = separating(database, store, hang)
        dying = asyncio.create_task(task.run(job.id))
        await until(lambda: bool(first.orders))
        dying.cancel()
        await asyncio.wait({dying})
        async with database.transaction() as connection:
            await ledger.cancel(connection, job.id)
        other, second = separating(database, store, hang)
        await other.run(job.id)

        assert (second.orders, second.cancelled) == ([], [job.id])
        assert await outcomes(database, job.id) == ["cancelled"]

    in_ledger(database_conninfo, scenario)


def test_stems_that_stand_already_complete_the_job_without_an_attempt(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        task, _ = separating(database, store, succeed)
        await task.run((await accept(database)).id)
        async with database.transaction() as connection:
            # As if the job had been another program's.
            await connection.execute(text("UPDATE jobs SET is_current = false"))
        second, runner = separating(database, store, hang)
        job = await accept(database)
        await second.run(job.id)

        assert runner.orders == []
        assert (await look(database, job.id)).state is State.COMPLETE
        assert len(attempts(store, "band", REQUEST.output_name, job.id)) == 0

    in_ledger(database_conninfo, scenario)


def test_recording_whose_content_changed_is_in_doubt(database_conninfo: str, store: Store) -> None:
    async def scenario(database: Database) -> None:
        task, _ = separating(database, store, failing(InputChanged("x")))
        job = await accept(database)
        async with database.transaction() as connection:
            await recordings.prove(connection, job.sha256, job.input_key)
        await run_to_the_end(task, job.id)

        async with database.reading() as connection:
            assert not (await recordings.get(connection, job.sha256)).is_proven
        ended = await look(database, job.id)
        assert ended.error is not None
        assert ended.error.code == "input_changed"

    in_ledger(database_conninfo, scenario)


def test_progress_that_is_told_while_the_job_is_settled_locks_nobody_out(
    database_conninfo: str,
) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    its_own = " AND datname = current_database()"

    async def scenario(database: Database) -> None:
        job = await accept(database)
        attempt = await begun(database, job)
        telling = Telling(database, attempt)
        telling.tell(Report(job_id=job.id, attempt=1, seq=1, status=Status.PROGRESS))
        async with database.transaction() as connection:
            assert await ledger.lock_open(connection, job.id)
            writing = asyncio.create_task(telling.until_ended())
            async with database.reading() as other:
                while not (await other.execute(text(waiting + its_own))).scalar_one():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.01)
            await connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
            await jobs_attempts.end(connection, attempt, Outcome.COMPLETE)
        writing.cancel()
        await asyncio.wait({writing})

        assert await outcomes(database, job.id) == ["complete"]

    in_ledger(database_conninfo, scenario)


def test_failure_that_nobody_foresaw_ends_the_job_in_time(
    database_conninfo: str, store: Store
) -> None:
    async def act(_runner: ToldRunner, _order: Order) -> Failure:
        raise ZeroDivisionError

    async def scenario(database: Database) -> None:
        task, _ = separating(database, store, act)
        job = await accept(database)
        await run_to_the_end(task, job.id)

        assert (await look(database, job.id)).state is State.ERROR
        assert await outcomes(database, job.id) == ["failed"] * 3

    in_ledger(database_conninfo, scenario)
