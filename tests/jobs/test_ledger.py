"""The ledger of jobs: accepted once, ended once, charged once."""

import asyncio
from dataclasses import replace

import pytest
from ledger_jobs import OTHER, REQUEST, accept, count, in_ledger, look, queued_entries
from sqlalchemy import text

from stemset.errors import JobComplete, JobNotFound, JobOpen, OutputNameTaken
from stemset.jobs import events, job_lists, ledger
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, State
from stemset.orders.messages import Failure

METADATA = {
    "recording": {"duration_s": 2.5},
    "stems": {"vocals": {}, "drums": {}},
    "timings": {"wall_s": 1.5},
}
FAILURE = Failure(code="audio_corrupt", detail="The audio is corrupt.", retryable=False)


async def complete(database: Database, job_id: str) -> bool:
    async with database.transaction() as connection:
        return await ledger.complete(connection, job_id, f"{job_id[:8]}-1", METADATA)


async def cancel(database: Database, job_id: str) -> Job:
    async with database.transaction() as connection:
        return await ledger.cancel(connection, job_id)


async def retry(database: Database, job_id: str) -> Job:
    async with database.transaction() as connection:
        return await ledger.retry(connection, job_id, "local")


def test_request_that_comes_fifty_times_at_once_is_one_job(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        jobs = await asyncio.gather(*(accept(database) for _ in range(50)))

        assert len({job.id for job in jobs}) == 1
        assert await count(database, "jobs") == 1
        assert await queued_entries(database) == 1

    in_ledger(database_conninfo, scenario)


def test_output_name_of_other_content_is_refused_and_nothing_is_kept(
    database_conninfo: str,
) -> None:
    async def scenario(database: Database) -> None:
        await accept(database)

        with pytest.raises(OutputNameTaken, match="take_abababab"):
            await accept(database, OTHER)
        assert await count(database, "jobs") == 1

    in_ledger(database_conninfo, scenario)


def test_names_are_tried_in_order_until_one_is_free(database_conninfo: str) -> None:
    async def scenario(database: Database) -> str:
        await accept(database)
        async with database.transaction() as connection:
            job, _ = await ledger.accept_first(
                connection, [OTHER, replace(OTHER, output_name="take_cdcdcdcdcdcdcdcd")]
            )
        return job.output_name

    assert in_ledger(database_conninfo, scenario) == "take_cdcdcdcdcdcdcdcd"


def test_other_strategy_of_the_same_content_is_another_job(database_conninfo: str) -> None:
    async def scenario(database: Database) -> bool:
        first = await accept(database)
        second = await accept(database, replace(REQUEST, fingerprint="01" * 32))
        return first.id != second.id

    assert in_ledger(database_conninfo, scenario)


def test_transaction_that_is_rolled_back_leaves_neither_job_nor_entry(
    database_conninfo: str,
) -> None:
    async def scenario(database: Database) -> None:
        async def fail_in_the_middle() -> None:
            async with database.transaction() as connection:
                await ledger.accept(connection, REQUEST)
                _ = 1 / 0

        with pytest.raises(ZeroDivisionError):
            await fail_in_the_middle()
        assert (await count(database, "jobs"), await queued_entries(database)) == (0, 0)

    in_ledger(database_conninfo, scenario)


def test_completion_is_charged_once_however_often_it_is_made(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        won = await asyncio.gather(*(complete(database, job.id) for _ in range(20)))

        assert sorted(won) == [False] * 19 + [True]
        assert await count(database, "usage") == 1
        ended = await look(database, job.id)
        assert (ended.state, ended.stems) == (State.COMPLETE, ("vocals", "drums"))

    in_ledger(database_conninfo, scenario)


def test_cancel_and_completion_that_race_leave_one_end(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        for number in range(10):
            job = await accept(database, replace(REQUEST, fingerprint=f"{number:064x}"))
            won, cancelled = await asyncio.gather(
                complete(database, job.id), cancel(database, job.id), return_exceptions=True
            )
            ended = await look(database, job.id)
            if won is True:
                assert ended.state is State.COMPLETE
                assert isinstance(cancelled, JobComplete)
            else:
                assert (won, ended.state) == (False, State.CANCELLED)
        jobs = "jobs WHERE state = 'complete'"
        assert await count(database, "usage") == await count(database, jobs)

    in_ledger(database_conninfo, scenario)


def test_cancel_of_a_job_that_ended_leaves_it_as_it_is(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        first = await cancel(database, job.id)

        assert await cancel(database, job.id) == first
        assert not await complete(database, job.id)
        assert await count(database, "usage") == 0

    in_ledger(database_conninfo, scenario)


def test_retry_makes_one_new_job_however_often_it_is_asked_for(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        async with database.transaction() as connection:
            await ledger.fail(connection, job.id, FAILURE)
        new, again = await retry(database, job.id), await retry(database, job.id)

        assert new.id == again.id != job.id
        assert (new.retry_of, new.state) == (job.id, State.QUEUED)
        assert (await look(database, job.id)).error == FAILURE
        assert (await accept(database)).id == new.id

    in_ledger(database_conninfo, scenario)


def test_retry_of_a_job_that_is_open_or_complete_is_refused(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        with pytest.raises(JobOpen, match="queued"):
            await retry(database, job.id)
        await complete(database, job.id)
        with pytest.raises(JobComplete):
            await retry(database, job.id)
        with pytest.raises(JobNotFound):
            await retry(database, "unknown")

    in_ledger(database_conninfo, scenario)


def test_progress_never_goes_back_and_ends_with_the_job(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database)
        for done in (0.4, 0.2):
            async with database.transaction() as connection:
                assert await ledger.progress(connection, job.id, State.PROCESSING, done=done)

        assert (await look(database, job.id)).progress == 0.4
        await cancel(database, job.id)
        async with database.transaction() as connection:
            assert not await ledger.progress(connection, job.id, State.PROCESSING, done=0.5)

    in_ledger(database_conninfo, scenario)


def test_jobs_ahead_count_open_ones_of_the_same_queue(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        jobs = [
            await accept(database, replace(REQUEST, fingerprint=f"{number:064x}"))
            for number in range(3)
        ]
        other = replace(REQUEST, fingerprint="f" * 64, queue=Queue.WORKER)
        jobs.append(await accept(database, other))
        await cancel(database, jobs[0].id)
        async with database.reading() as connection:
            together = await ledger.jobs_ahead(connection, jobs[1:])
            alone = [await ledger.jobs_ahead(connection, [job]) for job in jobs[1:]]

        expected = {jobs[1].id: 0, jobs[2].id: 1, jobs[3].id: 0}
        assert together == expected
        assert alone == [{job_id: ahead} for job_id, ahead in expected.items()]

    in_ledger(database_conninfo, scenario)


def test_pages_hold_every_job_once_the_newest_first(database_conninfo: str) -> None:
    async def scenario(database: Database) -> None:
        for number in range(7):
            await accept(database, replace(REQUEST, fingerprint=f"{number:064x}"))
        seen, cursor = [], None
        while True:
            async with database.reading() as connection:
                page, cursor = await job_lists.page(
                    connection, profiles=None, states=None, cursor=cursor, limit=3
                )
            seen += [job.fingerprint for job in page]
            if cursor is None:
                break

        assert seen == [f"{number:064x}" for number in reversed(range(7))]

    in_ledger(database_conninfo, scenario)


def test_events_of_transactions_that_overlap_are_numbered_as_they_commit(
    database_conninfo: str,
) -> None:
    """A reader that has seen a number has seen all below it."""

    async def writer(database: Database, pause_s: float) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(pause_s)
            await events.append(connection, events.Kind.OUTPUT, f"{pause_s}")

    async def scenario(database: Database) -> None:
        writing = [asyncio.create_task(writer(database, 0.002 * n)) for n in range(8)]
        seen: list[int] = []
        after = 2  # the two recordings
        while len(seen) < 8:
            async with database.reading() as connection:
                found = await events.since(connection, after, 100)
            seen += [event.id for event in found]
            after = seen[-1] if seen else after
        await asyncio.gather(*writing)

        assert seen == sorted(seen)
        assert len(set(seen)) == 8

    in_ledger(database_conninfo, scenario)
