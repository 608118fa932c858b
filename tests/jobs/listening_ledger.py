"""A ledger whose listener can be cut off, for tests of listening."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from stemset.jobs import events
from stemset.jobs.database import Database
from stemset.jobs.events import Kind
from stemset.jobs.listening import Listening

Result = TypeVar("Result")
WITHIN_S = 30.0

_LISTENERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ '^(LISTEN|SELECT 1$)'
"""


def run(scenario: Coroutine[Any, Any, Result]) -> Result:
    """Run a scenario, within a limit."""

    async def limited() -> Result:
        async with asyncio.timeout(WITHIN_S):
            return await scenario

    return asyncio.run(limited())


class Ledger:
    """A database, and what happens to whoever listens to it."""

    def __init__(self, conninfo: str) -> None:
        self.database = Database(conninfo)
        self._name = conninfo_to_dict(conninfo)["dbname"]

    async def append(self, *subjects: str, kind: Kind = Kind.JOB) -> None:
        """Commit an event for each subject, each in a transaction of its own."""
        for subject in subjects:
            async with self.database.transaction() as connection:
                await events.append(connection, kind, subject)

    async def progress(self, *job_ids: str) -> None:
        async with self.database.transaction() as connection:
            for job_id in job_ids:
                await events.notify_progress(connection, job_id)

    async def newest(self) -> int:
        async with self.database.reading() as connection:
            return await events.newest(connection)

    async def listeners(self) -> list[int]:
        """Process ids of the server's ends of listening connections."""
        async with await psycopg.AsyncConnection.connect(self.database.conninfo) as connection:
            return [pid for (pid,) in await (await connection.execute(_LISTENERS)).fetchall()]

    async def until_heard(self) -> int:
        """Wait until somebody listens. Returns the process id of the server's end."""
        while not (pids := await self.listeners()):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
        return pids[0]

    async def until_nobody_hears(self) -> None:
        while await self.listeners():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def cut_off(self) -> AsyncIterator[None]:
        """Nobody listens, and nobody new can connect; this ledger goes on."""
        pid = await self.until_heard()
        await self._limit_connections(0)
        os.kill(pid, signal.SIGTERM)
        try:
            yield
        finally:
            await self._limit_connections(-1)

    async def _limit_connections(self, limit: int) -> None:
        change = f'ALTER DATABASE "{self._name}" CONNECTION LIMIT {limit}'
        async with self.database.transaction() as connection:
            await connection.execute(text(change))


@asynccontextmanager
async def listening_to(conninfo: str, **options: float) -> AsyncIterator[tuple[Listening, Ledger]]:
    """A listener at work, and its ledger."""
    ledger = Ledger(conninfo)
    listening = Listening(ledger.database, **options)
    await listening.begin()
    task = asyncio.create_task(listening.run())
    try:
        yield listening, ledger
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await ledger.database.close()
