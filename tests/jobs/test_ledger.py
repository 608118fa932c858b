"""The ledger of jobs: ended once, charged once."""

import asyncio
from dataclasses import replace

from ledger_jobs import REQUEST, accept, count, in_ledger, look
from sqlalchemy import text

from stemset.errors import JobComplete
from stemset.jobs import events, job_lists, ledger
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, State

METADATA = {
    "recording": {"duration_s": 2.5},
    "stems": {"vocals": {}, "drums": {}},
    "timings": {"wall_s": 1.5},
}


async def complete(database: Database, job_id: str) -> bool:
    async with database.transaction() as connection:
        return await ledger.complete(connection, job_id, f"{job_id[:8]}-1", METADATA)


async def cancel(database: Database, job_id: str) -> Job:
    async with database.transaction() as connection:
        return await ledger.cancel(connection, job_id)


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
