"""One thing after the other in a ledger, each with a loop and connections of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs.database import Database

T = TypeVar("T")


class LedgerSteps:
    """A ledger.

    Attributes:
        conninfo: Where it is.
    """

    def __init__(self, conninfo: str):
        self.conninfo = conninfo

    def do(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do something in a transaction."""

        async def scenario(database: Database) -> T:
            async with database.transaction() as connection:
                return await work(connection)

        return self.run(scenario)

    def run(self, scenario: Callable[[Database], Awaitable[T]]) -> T:
        """Do something with the database."""

        async def run() -> T:
            database = Database(self.conninfo)
            try:
                return await scenario(database)
            finally:
                await database.close()

        return asyncio.run(run())
