"""What a listening connection hears, and whether the server is still there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stemset.jobs.database import Database
from stemset.jobs.events import CHANNEL, Kind
from stemset.telemetry import get_logger

_log = get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Notice:
    """What was heard: an event, or that a job got further (then it has no number)."""

    number: int | None
    kind: Kind
    subject: str


@asynccontextmanager
async def listening_connection(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection that hears all that is committed from here on. Raises psycopg's errors."""
    connection = await database.connect()
    try:
        await connection.set_autocommit(True)
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        yield connection
    finally:
        await connection.close()


async def notices(
    connection: psycopg.AsyncConnection, *, check_every_s: float, check_within_s: float
) -> AsyncIterator[Notice]:
    """What a connection hears, in the order of commits.

    A server that is stopped, or a network that is gone, says nothing, as a quiet one does: so it is
    asked now and then. What is heard meanwhile is not lost.

    Raises:
        psycopg.Error: The connection is lost.
        TimeoutError: The server does not answer.
    """
    while True:
        async for heard in connection.notifies(timeout=check_every_s):
            notice = _parsed(heard.payload)
            if notice is not None:
                yield notice
        async with asyncio.timeout(check_within_s):
            await connection.execute("SELECT 1")


def _parsed(payload: str) -> Notice | None:
    """Anybody who can connect can notify, so what is not understood is passed over."""
    try:
        number, kind, subject = payload.split(" ")
        return Notice(None if number == "-" else int(number), Kind(kind), subject)
    except ValueError:
        _log.warning("Notification not understood", payload=payload[:100])
        return None
