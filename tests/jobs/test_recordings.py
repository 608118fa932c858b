"""Recordings in the ledger: found once and again, deleted and back, proven or only said to be."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import RecordingNotFound
from stemset.jobs import events, recordings, tables
from stemset.jobs.database import Database
from stemset.jobs.recordings import Found, Recording

Result = TypeVar("Result")

SHA256 = "ab" * 32
PROVEN = Found(
    sha256=SHA256,
    filename="take one.wav",
    bytes=1000,
    duration_s=2.5,
    rate_hz=48_000,
    channels=2,
    input_key="inputs/h4n/take one.wav",
    is_proven=True,
    owner="local",
)
SAID = replace(
    PROVEN, is_proven=False, duration_s=None, rate_hz=None, channels=None, input_key="inputs/b/x"
)


def in_database(conninfo: str, scenario: Callable[[Database], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = Database(conninfo)
        try:
            return await scenario(database)
        finally:
            await database.close()

    return asyncio.run(run())


def after(conninfo: str, *steps: Callable[[AsyncConnection], Awaitable[object]]) -> Recording:
    """The recording after steps, each a transaction of its own."""

    async def scenario(database: Database) -> Recording:
        for step in steps:
            async with database.transaction() as connection:
                await step(connection)
        async with database.transaction() as connection:
            found = await recordings.find(connection, SHA256)
        assert found is not None
        return found

    return in_database(conninfo, scenario)


def noting(found: Found) -> Callable[[AsyncConnection], Awaitable[None]]:
    return lambda connection: recordings.note(connection, found)


def setting(**values: object) -> Callable[[AsyncConnection], Awaitable[object]]:
    return lambda connection: connection.execute(update(tables.recordings).values(**values))


def test_recording_that_is_found_is_noted_under_its_files_stem(database_conninfo: str):
    noted = after(database_conninfo, noting(PROVEN))

    assert noted.name == "take one"
    assert noted.deleted_at is None
    assert {name: getattr(noted, name) for name in Found.__slots__} == {
        name: getattr(PROVEN, name) for name in Found.__slots__
    }


def test_recording_found_again_keeps_its_name_and_owner_and_takes_the_new_file_name(
    database_conninfo: str,
):
    again = replace(PROVEN, filename="other.wav", owner="somebody")

    noted = after(database_conninfo, noting(PROVEN), setting(name="Our song"), noting(again))

    assert (noted.name, noted.owner, noted.filename) == ("Our song", "local", "other.wav")


def test_recording_that_was_deleted_comes_back_when_it_is_found_again(database_conninfo: str):
    deleted = setting(deleted_at=func.now(), input_key=None)

    noted = after(database_conninfo, noting(PROVEN), deleted, noting(PROVEN))

    assert (noted.deleted_at, noted.input_key) == (None, PROVEN.input_key)


def test_recording_that_is_proven_is_not_replaced_by_one_that_is_only_said_to_be(
    database_conninfo: str,
):
    noted = after(database_conninfo, noting(PROVEN), noting(replace(SAID, bytes=7)))

    assert (noted.is_proven, noted.input_key, noted.bytes) == (True, PROVEN.input_key, 1000)
    assert (noted.duration_s, noted.rate_hz, noted.channels) == (2.5, 48_000, 2)


def test_recording_that_was_only_said_to_be_is_replaced_by_one_that_is_proven(
    database_conninfo: str,
):
    noted = after(database_conninfo, noting(SAID), noting(PROVEN))

    assert (noted.is_proven, noted.input_key, noted.duration_s) == (True, PROVEN.input_key, 2.5)


def test_recording_whose_proven_bytes_were_collected_is_unproven_at_its_new_place(
    database_conninfo: str,
):
    collected = setting(input_key=None)

    noted = after(database_conninfo, noting(PROVEN), collected, noting(SAID))

    assert (noted.is_proven, noted.input_key) == (False, "inputs/b/x")


def test_recording_found_without_a_file_keeps_the_one_it_has(database_conninfo: str):
    adopted = replace(SAID, input_key=None)

    noted = after(database_conninfo, noting(PROVEN), noting(adopted))

    assert (noted.is_proven, noted.input_key) == (True, PROVEN.input_key)


@pytest.mark.parametrize(("key", "is_proven"), [("inputs/b/x", True), ("inputs/other/x", False)])
def test_recording_is_proven_only_where_somebody_looked(
    database_conninfo: str, key: str, is_proven: bool
):
    noted = after(
        database_conninfo,
        noting(SAID),
        lambda connection: recordings.prove(connection, SHA256, key),
    )

    assert noted.is_proven is is_proven


def test_recording_that_is_noted_is_told_of(database_conninfo: str):
    async def scenario(database: Database) -> list[tuple[str, str]]:
        async with database.transaction() as connection:
            await recordings.note(connection, PROVEN)
        async with database.transaction() as connection:
            told = await events.since(connection, 0, 10)
        return [(event.kind, event.subject) for event in told]

    assert in_database(database_conninfo, scenario) == [("recording", SHA256)]


def test_recording_that_is_unknown_or_deleted_is_not_found(database_conninfo: str):
    async def scenario(database: Database) -> None:
        async with database.transaction() as connection:
            with pytest.raises(RecordingNotFound):
                await recordings.get(connection, SHA256)
            assert await recordings.find(connection, SHA256) is None
            await recordings.note(connection, PROVEN)
            assert (await recordings.get(connection, SHA256)).bytes == 1000
            await setting(deleted_at=func.now())(connection)
            with pytest.raises(RecordingNotFound):
                await recordings.get(connection, SHA256)

    in_database(database_conninfo, scenario)


def test_recordings_noted_at_once_by_many_are_one(database_conninfo: str):
    async def scenario(database: Database) -> tuple[int, str | None]:
        async def one(number: int) -> None:
            async with database.transaction() as connection:
                await recordings.note(connection, replace(PROVEN, filename=f"{number}.wav"))

        await asyncio.gather(*(one(number) for number in range(8)))
        async with database.transaction() as connection:
            count = select(func.count()).select_from(tables.recordings)
            found = await recordings.get(connection, SHA256)
            return (await connection.execute(count)).scalar_one(), found.input_key

    assert in_database(database_conninfo, scenario) == (1, PROVEN.input_key)
