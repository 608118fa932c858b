"""A database for a moment, for a command that is no service: whichever there is, and up to date."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import DataFolderInUse
from stemset.jobs.database import Database
from stemset.jobs.migrate import migrate
from stemset.postgres.cluster import Cluster, hold, running
from stemset.postgres.data_lock import take_turn

_PURPOSE = "a command that needs the database for a moment"
_WAIT_S = 15.0  # for a service that is starting
_POLL_S = 0.05

_T = TypeVar("_T")


def in_transaction(
    data: Path, database_url: str | None, work: Callable[[AsyncConnection], Awaitable[_T]]
) -> _T:
    """Do one thing in the database, and commit it. Blocks.

    Args:
        data: The data folder.
        database_url: Address of a database, None for the one in the data folder.
        work: What is done; gets the transaction's connection.

    Raises:
        StemsetError: What ``open_conninfo``, the database or the work itself raises.
    """
    with open_conninfo(data, database_url) as conninfo:
        return asyncio.run(_in_transaction(conninfo, work))


@contextmanager
def open_conninfo(data: Path, database_url: str | None) -> Iterator[str]:
    """The address of a database whose schema is up to date.

    The embedded one may be a running service's; otherwise this process owns the data folder and
    runs the server for as long as the context lasts.

    Args:
        data: The data folder.
        database_url: Address of a database, None for the one in the data folder.

    Raises:
        InvalidConfig: The address cannot be read.
        DataFolderInUse: Another process owns the data folder, and no server runs in it.
        DatabaseNewer: A newer version of Stemset, or of PostgreSQL, made the database.
        DatabaseUnavailable: The server is not there, or does not answer.
        DatabaseStartFailed: The embedded server cannot be made or started.
        DatabaseFailed: The server refuses.
        MissingDependency: PostgreSQL's programs are not installed.
        NoSpace: The disk is full.
        OutputUnwritable: The data folder cannot be written to.
    """
    with ExitStack() as stack:
        conninfo = database_url or _embedded(stack, data)
        migrate(conninfo)
        yield conninfo


async def _in_transaction(conninfo: str, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
    database = Database(conninfo, pool_size=1)
    try:
        async with database.transaction() as connection:
            return await work(connection)
    finally:
        await database.close()


def _embedded(stack: ExitStack, data: Path) -> str:
    """The embedded database's address: the owner's server, or one of our own."""
    stack.enter_context(take_turn(data))
    limit = time.monotonic() + _WAIT_S
    while True:
        try:
            stack.enter_context(hold(data, _PURPOSE))
        except DataFolderInUse:
            if conninfo := running(data):
                return conninfo
            if time.monotonic() > limit:
                raise
            time.sleep(_POLL_S)
        else:
            return _started(stack, data)


def _started(stack: ExitStack, data: Path) -> str:
    """Start the server; one that outlived its owner is used, and left as it was."""
    cluster = Cluster(data)
    if running(data) is None:
        stack.callback(cluster.stop)
    cluster.start()
    return cluster.conninfo
