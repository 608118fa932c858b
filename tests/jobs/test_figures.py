"""The ledger in figures."""

import asyncio
from dataclasses import replace

import priced_attempts
import pytest
from ledger_jobs import OTHER, OTHER_SHA256, REQUEST, SHA256, accept, in_ledger
from sqlalchemy import text

from stemset.errors import ComputingCrashed
from stemset.jobs import attempts, deletion, ledger
from stemset.jobs.attempts import OpenAttempt, Outcome
from stemset.jobs.database import Database
from stemset.jobs.figures import WAIT_BOUNDS_S, Figures, figures
from stemset.jobs.job import Queue, State
from stemset.orders.messages import Failure

pytestmark = pytest.mark.alone

METADATA = {
    "fingerprint": REQUEST.fingerprint,
    "stems": {"vocals": {}, "drums": {}},
    "recording": {"duration_s": 120.0},
    "timings": {"wall_s": 10.0},
}
FAR = replace(OTHER, queue=Queue.WORKER, profile="far")


async def counted(database: Database) -> Figures:
    async with database.reading() as connection:
        return await figures(connection)


async def begun(database: Database, job_id: str, runner: str, device: str | None) -> OpenAttempt:
    """Begin an attempt, and hear from it."""
    async with database.transaction() as connection:
        attempt = await attempts.begin(connection, job_id, lambda n: f"{job_id}-{n}", runner)
        await attempts.touch(connection, attempt, device)
    return attempt


async def completed(database: Database, job_id: str, attempt: OpenAttempt) -> None:
    async with database.transaction() as connection:
        await ledger.complete(connection, job_id, attempt.folder, METADATA)
        await attempts.end(connection, attempt, Outcome.COMPLETE)


async def dated(database: Database, table: str, column: str, *, seconds_ago: float) -> None:
    """Let something have happened a while ago."""
    change = f"UPDATE {table} SET {column} = now() - interval '{seconds_ago} s'"  # noqa: S608 - literals
    async with database.transaction() as connection:
        await connection.execute(text(change))


def test_figures_of_an_empty_ledger_are_all_there(database_conninfo: str):
    found = in_ledger(database_conninfo, counted)

    assert set(found.jobs) == {(queue, state) for queue in Queue for state in State}
    assert set(found.jobs.values()) == {0}
    assert found.oldest_s == {"worker": 0, "local": 0}
    assert found.failed["storage_refused"] == 0
    assert found.attempts["local", "failed", "computing_crashed"] == 0
    assert found.attempts["worker", "complete", ""] == 0
    assert [sum(each.counts) for each in found.waits.values()] == [0, 0]


def test_oldest_waiting_job_is_the_one_that_nobody_computes(database_conninfo: str):
    async def scenario(database: Database) -> list[Figures]:
        job = await accept(database)
        await accept(database, FAR)
        await dated(database, "jobs", "created_at", seconds_ago=100)
        waiting = await counted(database)
        async with database.transaction() as connection:
            await ledger.progress(connection, job.id, State.PROCESSING)
        return [waiting, await counted(database)]

    waiting, one_is_computed = in_ledger(database_conninfo, scenario)

    assert waiting.oldest_s["local"] == pytest.approx(100, abs=5)
    assert waiting.oldest_s["worker"] == pytest.approx(100, abs=5)
    assert one_is_computed.oldest_s["local"] == 0
    assert one_is_computed.oldest_s["worker"] >= 100
    assert one_is_computed.jobs["local", "processing"] == 1


def test_waits_last_from_the_acceptance_to_the_first_sign_of_computation(database_conninfo: str):
    async def scenario(database: Database) -> Figures:
        job = await accept(database)
        await accept(database, FAR)  # waits still, and is none of them
        await dated(database, "jobs", "created_at", seconds_ago=45)
        await begun(database, job.id, "local", None)
        await dated(database, "attempts", "began_at", seconds_ago=40)  # the worker had to wake
        return await counted(database)

    waits = in_ledger(database_conninfo, scenario).waits

    assert waits["local"].counts[WAIT_BOUNDS_S.index(60)] == 1
    assert sum(waits["local"].counts) == 1
    assert waits["local"].sum_s == pytest.approx(45, abs=5)
    assert sum(waits["worker"].counts) == 0


def test_attempts_count_by_how_they_ended_and_computed(database_conninfo: str):
    async def scenario(database: Database) -> Figures:
        job, far = await accept(database), await accept(database, FAR)
        crashed = Failure.of(ComputingCrashed("It crashed."))
        strange = crashed.model_copy(update={"code": "made-up-by-a-worker"})
        for failure, device in ((crashed, "cuda"), (strange, "cuda")):
            attempt = await begun(database, far.id, "worker", device)
            await dated(database, "attempts", "accepted_at", seconds_ago=20)
            async with database.transaction() as connection:
                await attempts.end(connection, attempt, Outcome.FAILED, failure=failure)
        await completed(database, job.id, await begun(database, job.id, "local", None))
        return await counted(database)

    found = in_ledger(database_conninfo, scenario)

    assert found.attempts["worker", "failed", "computing_crashed"] == 1
    assert found.attempts["worker", "failed", "worker_failed"] == 1
    assert found.attempts["local", "complete", ""] == 1
    assert found.computing_s["worker", "far", "cuda"] == pytest.approx(40, abs=8)


def test_completed_jobs_tell_how_fast_strategies_are(database_conninfo: str):
    async def scenario(database: Database) -> Figures:
        for request, device in ((REQUEST, "cpu"), (FAR, "cuda")):
            job = await accept(database, request)
            await completed(database, job.id, await begun(database, job.id, request.queue, device))
        return await counted(database)

    splits = in_ledger(database_conninfo, scenario).splits

    assert splits == {("two", "cpu"): (1, 120.0, 10.0), ("two", "cuda"): (1, 120.0, 10.0)}


def test_failed_jobs_count_by_code(database_conninfo: str):
    async def scenario(database: Database) -> Figures:
        job = await accept(database)
        async with database.transaction() as connection:
            await ledger.fail(connection, job.id, Failure.of(ComputingCrashed("It crashed.")))
        return await counted(database)

    failed = in_ledger(database_conninfo, scenario).failed

    assert {code: count for code, count in failed.items() if count} == {"computing_crashed": 1}


def test_counters_stay_when_all_is_deleted(database_conninfo: str):
    async def scenario(database: Database) -> list[Figures]:
        for request in (REQUEST, FAR):
            job = await accept(database, request)
            await completed(database, job.id, await begun(database, job.id, request.queue, "cpu"))
        before = await counted(database)
        async with database.transaction() as connection:
            await deletion.delete_recording(connection, SHA256, None)
        async with database.transaction() as connection:
            await deletion.delete_recording(connection, OTHER_SHA256, None)
        return [before, await counted(database)]

    before, after = in_ledger(database_conninfo, scenario)

    assert after == before


def test_many_jobs_are_counted_in_a_moment(database_conninfo: str):
    async def scenario(database: Database) -> Figures:
        job = await accept(database)
        await completed(database, job.id, await begun(database, job.id, "local", "cpu"))
        async with database.transaction(within_s=60) as connection:
            await connection.execute(
                text(
                    "INSERT INTO jobs SELECT (r).* FROM (SELECT jsonb_populate_record(j, "
                    "jsonb_build_object('id', 'job' || n, 'is_current', false)) AS r "
                    "FROM jobs j, generate_series(1, 20000) n) made"
                )
            )
            await connection.execute(
                text(
                    "INSERT INTO attempts SELECT (r).* FROM (SELECT jsonb_populate_record(a, "
                    "jsonb_build_object('job_id', 'job' || n)) AS r "
                    "FROM attempts a, generate_series(1, 20000) n) made"
                )
            )
        async with asyncio.timeout(2):
            return await counted(database)

    found = in_ledger(database_conninfo, scenario)

    assert found.jobs["local", "complete"] == 20_001
    assert sum(found.waits["local"].counts) == 20_001


def test_what_was_spent_never_goes_down_and_held_jobs_are_counted(database_conninfo: str):
    async def scenario(database: Database) -> list[Figures]:
        job = await accept(database, FAR)
        attempt = await priced_attempts.begun(database, job)
        await priced_attempts.passes(database, 20)
        await priced_attempts.taken(database, attempt)
        await priced_attempts.passes(database, 40)
        await priced_attempts.ended(database, attempt)
        at_once = await counted(database)
        await priced_attempts.passes(database, 30)
        later = await counted(database)
        again = await accept(database, replace(FAR, fingerprint="12" * 32))
        await priced_attempts.begun(database, again)  # cuts the tail
        async with database.transaction() as connection:
            await ledger.hold(connection, again.id, "spent")
        return [at_once, later, await counted(database)]

    at_once, later, cut = in_ledger(database_conninfo, scenario)

    spent = [each.spent["far", "USD"] for each in (at_once, later, cut)]
    assert [each.tail_s for each in spent] == pytest.approx([0, 30, 30], abs=2)
    assert spent[0].amount == pytest.approx(0.06, abs=0.003)
    assert at_once.month["far", "USD"] == pytest.approx(0.36, abs=0.003)
    assert cut.month["far", "USD"] == pytest.approx(0.09, abs=0.005)
    assert (at_once.held, cut.held) == ({}, {"far": 1})
