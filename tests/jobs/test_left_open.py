"""A process that is frozen in a transaction keeps nobody else from writing for long."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from ledger_jobs import accept, in_ledger
from sqlalchemy import text

from stemset.errors import DatabaseUnavailable
from stemset.jobs.database import Database
from stemset.jobs.job import Job

WRITE = "UPDATE jobs SET phase = 'separating' WHERE id = :id"


@contextmanager
def frozen_while_writing(conninfo: str, job: Job) -> Iterator[None]:
    """Somebody stands still in a transaction until the end of the block, then goes on."""
    stands, goes_on = threading.Event(), threading.Event()

    async def stand(database: Database) -> None:
        async with database.transaction() as connection:
            await connection.execute(text(WRITE), {"id": job.id})
            stands.set()
            goes_on.wait()
            await connection.execute(text(WRITE), {"id": job.id})

    async def run() -> None:
        database = Database(conninfo)
        try:
            with pytest.raises(DatabaseUnavailable):
                await stand(database)
            async with database.transaction() as connection:
                await connection.execute(text(WRITE), {"id": job.id})
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as threads:
        somebody = threads.submit(asyncio.run, run())
        stands.wait()
        try:
            yield
        finally:
            goes_on.set()
        somebody.result()


@pytest.mark.slow
def test_row_that_a_frozen_process_wrote_can_be_written_again(database_conninfo: str) -> None:
    async def scenario(database: Database) -> float:
        job = await accept(database)
        with frozen_while_writing(database_conninfo, job):
            begun = time.monotonic()
            async with database.transaction(25) as connection:
                await connection.execute(text(WRITE), {"id": job.id})
            return time.monotonic() - begun

    assert 10 < in_ledger(database_conninfo, scenario) < 25


def test_transaction_that_may_take_long_is_left_open_for_as_long(database_conninfo: str) -> None:
    async def limits(database: Database) -> list[str]:
        seen = []
        for within_s in (5, 600, 10):
            async with database.transaction(within_s) as connection:
                query = text("SHOW idle_in_transaction_session_timeout")
                seen.append((await connection.execute(query)).scalar_one())
        return seen

    assert in_ledger(database_conninfo, limits) == ["15s", "605s", "15s"]
