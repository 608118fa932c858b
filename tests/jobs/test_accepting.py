"""Jobs are taken once, and again only when they have failed."""

import asyncio
from dataclasses import replace

import pytest
from ledger_jobs import OTHER, REQUEST, accept, count, in_ledger, look, queued_entries

from stemset.errors import JobComplete, JobNotFound, JobOpen, OutputNameTaken
from stemset.jobs import accepting, ledger
from stemset.jobs.database import Database
from stemset.jobs.job import Job, State
from stemset.orders.messages import Failure

METADATA = {"recording": {"duration_s": 2.5}, "stems": {"vocals": {}}}
FAILURE = Failure(code="audio_corrupt", detail="The audio is corrupt.", retryable=False)


async def retry(database: Database, job_id: str) -> Job:
    async with database.transaction() as connection:
        return await accepting.retry(connection, job_id, "local")


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
            job, _ = await accepting.accept_first(
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
                await accepting.accept(connection, REQUEST)
                _ = 1 / 0

        with pytest.raises(ZeroDivisionError):
            await fail_in_the_middle()
        assert (await count(database, "jobs"), await queued_entries(database)) == (0, 0)

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
        async with database.transaction() as connection:
            assert await ledger.complete(connection, job.id, f"{job.id[:8]}-1", METADATA)
        with pytest.raises(JobComplete):
            await retry(database, job.id)
        with pytest.raises(JobNotFound):
            await retry(database, "unknown")

    in_ledger(database_conninfo, scenario)
