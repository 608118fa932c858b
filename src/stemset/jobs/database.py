"""The database: connections, transactions, and what its failures are called.

``Database.transaction`` is the one way in. Whoever needs a job and its queue entry in one commit
gets the driver's own connection of the same transaction (``driver``).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import psycopg
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stemset.errors import DatabaseFailed, DatabaseUnavailable, NoSpace, StemsetError

POOL_SIZE = 10
WITHIN_S = 10.0
"""A transaction that takes longer is given up: the server is stopped, or cannot be reached."""

_CONNECT_WITHIN_S = 5
_LEFT_OPEN_S = 5
"""So long beyond its time, the server ends a transaction in which nothing is asked."""

_DISK_FULL = ("53100", "58030")
_UNAVAILABLE = ("08", "57P", "53", "40", "55P03", "25006", "25P03")


class Database:
    """One PostgreSQL database. Used within one event loop."""

    def __init__(self, conninfo: str, *, pool_size: int = POOL_SIZE) -> None:
        """Know it; nothing is connected yet.

        Args:
            conninfo: libpq's connection string or URL.
            pool_size: Connections that are kept.
        """
        self.conninfo = conninfo
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self.connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=WITHIN_S,
            pool_use_lifo=True,
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def connect(self) -> psycopg.AsyncConnection:
        """Make a connection of its own, for whoever listens. Raises psycopg's errors."""
        connection = await psycopg.AsyncConnection.connect(
            self.conninfo, connect_timeout=_CONNECT_WITHIN_S, application_name="stemset"
        )
        try:
            await bound(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    @asynccontextmanager
    async def transaction(self, within_s: float = WITHIN_S) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end, rolled back on any error.

        Args:
            within_s: It is given up after so many seconds.

        Raises:
            DatabaseUnavailable: The server is not there, or does not answer, or wants it tried
                again. Whether a commit that was under way took effect is then not known.
            NoSpace: Its disk is full.
            DatabaseFailed: It refuses what is asked.
        """
        async with _translating(within_s), self._engine.begin() as connection:
            if within_s > WITHIN_S:
                await connection.execute(text(f"SET LOCAL {_left_open(within_s)}"))
            yield connection

    @asynccontextmanager
    async def reading(self, within_s: float = WITHIN_S) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement stands alone, for looking; see ``transaction``."""
        async with _translating(within_s), self._reading.connect() as connection:
            yield connection

    @property
    def connections_used(self) -> int:
        """How many connections somebody has right now."""
        return cast("AsyncAdaptedQueuePool", self._engine.pool).checkedout()

    @property
    def connections_limit(self) -> int:
        """How many there can be."""
        return cast("AsyncAdaptedQueuePool", self._engine.pool).size()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._engine.dispose()


@asynccontextmanager
async def _translating(within_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as error:
        raise DatabaseUnavailable(f"The database did not answer within {within_s:g} s.") from error
    except (SQLAlchemyError, psycopg.Error) as error:
        raise translated(error) from error


async def bound(connection: psycopg.AsyncConnection) -> None:
    """Have the server end what this process leaves open, should it be frozen or cut off.

    Until then nobody else can write the rows that were written in it.
    """
    await connection.execute(f"SET {_left_open(WITHIN_S)}".encode())
    await connection.commit()


def _left_open(within_s: float) -> str:
    return f"idle_in_transaction_session_timeout = '{within_s + _LEFT_OPEN_S:.0f}s'"


async def driver(connection: AsyncConnection) -> psycopg.AsyncConnection:
    """The driver's connection of a transaction, for a library that speaks to it itself."""
    raw = await connection.get_raw_connection()
    return cast("psycopg.AsyncConnection", raw.driver_connection)


def translated(error: BaseException) -> StemsetError:
    """A failure of the database in Stemset's words."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None) or ""
    detail = str(original).strip().partition("\n")[0]
    if state in _DISK_FULL:
        return NoSpace(f"The database's disk is full: {detail}")
    lost = isinstance(original, psycopg.OperationalError) and not state
    if lost or isinstance(error, PoolTimeout) or state.startswith(_UNAVAILABLE):
        return DatabaseUnavailable(f"The database is not available: {detail}")
    return DatabaseFailed(f"The database refuses: {detail}")
