"""Secrets that processes share: one each, whoever comes first."""

import asyncio

import psycopg

from stemset.jobs import secrets
from stemset.jobs.database import Database


async def secret(database: Database, name: str) -> bytes:
    async with database.transaction() as connection:
        return await secrets.get(connection, name)


def secrets_of(conninfo: str, *names: str) -> list[bytes]:
    """Ask for all of them at once."""

    async def scenario() -> list[bytes]:
        database = Database(conninfo)
        try:
            return await asyncio.gather(*(secret(database, name) for name in names))
        finally:
            await database.close()

    return asyncio.run(scenario())


def test_secret_is_the_same_each_time(database_conninfo: str):
    first = secrets_of(database_conninfo, "media")
    again = secrets_of(database_conninfo, "media")

    assert first == again
    assert len(first[0]) == 32


def test_secret_of_another_name_is_another(database_conninfo: str):
    media, pages = secrets_of(database_conninfo, "media", "pages")

    assert media != pages


def test_secret_of_a_database_is_its_own(database_conninfo: str):
    first = secrets_of(database_conninfo, "media")
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("DELETE FROM secrets")

    assert secrets_of(database_conninfo, "media") != first


def test_secret_wanted_by_many_at_once_is_one(database_conninfo: str):
    assert len(set(secrets_of(database_conninfo, *10 * ["media"]))) == 1


def test_secret_in_the_making_is_waited_for(database_conninfo: str):
    async def scenario() -> tuple[bytes, bytes]:
        database = Database(database_conninfo)
        async with database.transaction() as connection:
            made = await secrets.get(connection, "media")
            waiting = asyncio.create_task(secret(database, "media"))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        found = await asyncio.wait_for(waiting, 5)
        await database.close()
        return made, found

    made, found = asyncio.run(scenario())

    assert made == found
