"""Uploads in the ledger: begun, gone on with, complete, expired; whose they are, and how many."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import NotUploaded, ServiceBusy, UploadComplete, UploadNotFound
from stemset.jobs import recordings, tables, uploads
from stemset.jobs.database import Database
from stemset.jobs.recordings import Found
from stemset.jobs.uploads import MAX_OPEN, Method, Upload, UploadState, Wanted

SHA256, OTHER = "ab" * 32, "cd" * 32
WANTED = Wanted(
    id="one",
    owner="me",
    filename="take.wav",
    profile="h4n",
    method=Method.DIRECT,
    size_bytes=20,
    part_bytes=8,
    mark="20-1700000000",
)
WHOLE = Wanted(
    id="whole",
    owner="me",
    filename="take.wav",
    profile="h4n",
    method=Method.WHOLE,
    size_bytes=20,
    sha256=SHA256,
    input_key="inputs/h4n/take.wav",
)
FOUND = Found(
    sha256=SHA256,
    filename="take.wav",
    bytes=20,
    input_key="inputs/h4n/take.wav",
    is_proven=True,
    owner="me",
)


def in_transaction(conninfo: str, scenario: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    async def run() -> None:
        database = Database(conninfo)
        try:
            async with database.transaction() as connection:
                await scenario(connection)
        finally:
            await database.close()

    asyncio.run(run())


def test_upload_that_is_begun_is_open_and_its_callers_only(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        begun = await uploads.begin(connection, WANTED)

        assert (begun.id, begun.state, begun.received) == ("one", UploadState.RECEIVING, ())
        assert await uploads.get(connection, "me", "one") == begun
        assert await uploads.list_open(connection, "me") == [begun]
        assert await uploads.list_open(connection, "you") == []
        with pytest.raises(UploadNotFound):
            await uploads.get(connection, "you", "one")

    in_transaction(database_conninfo, scenario)


@pytest.mark.parametrize(
    ("first", "again", "is_same"),
    [
        (WANTED, WANTED, True),
        (WANTED, replace(WANTED, sha256=SHA256), True),
        (replace(WANTED, mark=None, sha256=SHA256), replace(WANTED, sha256=SHA256), True),
        (replace(WANTED, sha256=SHA256), replace(WANTED, sha256=OTHER), False),
        (WANTED, replace(WANTED, mark="another"), False),
        (WANTED, replace(WANTED, filename="b.wav"), False),
        (WANTED, replace(WANTED, size_bytes=21), False),
        (WANTED, replace(WANTED, profile="other"), False),
        (WANTED, replace(WANTED, owner="you"), False),
        (WANTED, replace(WANTED, method=Method.PRESIGNED), False),
        (replace(WANTED, mark=None), replace(WANTED, mark=None), False),
    ],
)
def test_upload_begun_again_is_the_same_if_the_file_is_known_to_be(
    database_conninfo: str, first: Wanted, again: Wanted, is_same: bool
):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, first)
        found = await uploads.begin(connection, replace(again, id="two"))

        assert found.id == ("one" if is_same else "two")

    in_transaction(database_conninfo, scenario)


def test_upload_begun_again_after_its_end_is_a_new_one(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, WANTED)
        await uploads.complete(connection, "one", sha256=SHA256, input_key="inputs/h4n/take.wav")

        assert (await uploads.begin(connection, replace(WANTED, id="two"))).id == "two"

    in_transaction(database_conninfo, scenario)


def test_upload_begun_by_two_pages_at_once_is_one(database_conninfo: str):
    async def run() -> set[str]:
        database = Database(database_conninfo)

        async def begin(number: int) -> str:
            async with database.transaction() as connection:
                return (await uploads.begin(connection, replace(WANTED, id=str(number)))).id

        try:
            return set(await asyncio.gather(*map(begin, range(8))))
        finally:
            await database.close()

    assert len(asyncio.run(run())) == 1


def test_uploads_of_one_caller_are_limited(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        for number in range(MAX_OPEN):
            await uploads.begin(connection, replace(WANTED, id=str(number), mark=str(number)))

        with pytest.raises(ServiceBusy):
            await uploads.begin(connection, replace(WANTED, id="more", mark="more"))
        await uploads.begin(connection, replace(WANTED, id="again", mark="0"))
        await uploads.begin(connection, replace(WANTED, id="yours", owner="you"))

    in_transaction(database_conninfo, scenario)


def test_parts_are_noted_once_in_any_order(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, WANTED)
        for part in (3, 1, 3):
            assert await uploads.receive(connection, "one", part)
        assert (await uploads.get(connection, "me", "one")).received == (1, 3)

        await uploads.forget_received(connection, "one")
        assert (await uploads.get(connection, "me", "one")).received == ()

    in_transaction(database_conninfo, scenario)


def test_upload_that_is_complete_takes_nothing_more(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, WANTED)
        done = {"sha256": SHA256, "input_key": "inputs/h4n/take.wav"}

        assert await uploads.complete(connection, "one", **done)
        assert not await uploads.complete(connection, "one", **done)
        assert not await uploads.receive(connection, "one", 1)
        await uploads.remove(connection, "one")
        found = await uploads.get(connection, "me", "one")
        assert (found.state, found.sha256, found.received) == (UploadState.COMPLETE, SHA256, ())
        with pytest.raises(UploadComplete):
            await uploads.get_open(connection, "me", "one")

    in_transaction(database_conninfo, scenario)


def test_upload_that_is_removed_is_gone(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, WANTED)
        await uploads.remove(connection, "one")

        assert not await uploads.receive(connection, "one", 1)
        with pytest.raises(UploadNotFound):
            await uploads.get_open(connection, "me", "one")

    in_transaction(database_conninfo, scenario)


def test_upload_in_one_piece_is_its_owners_only_once_it_is_complete(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.set_place(connection, WHOLE)
        await uploads.set_place(connection, replace(WHOLE, input_key="inputs/h4n/other.wav"))

        assert await uploads.list_open(connection, "me") == []
        (begun,) = await uploads.all_open(connection)
        assert (begun.id, begun.input_key) == ("whole", "inputs/h4n/other.wav")
        assert await uploads.complete(connection, "whole", sha256=SHA256, input_key="k")
        await uploads.set_place(connection, WHOLE)
        assert (await uploads.get(connection, "me", "whole")).input_key == "k"

    in_transaction(database_conninfo, scenario)


def test_uploads_that_nobody_goes_on_with_expire(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        for each in ("old", "other", "touched", "complete"):
            await uploads.begin(connection, replace(WANTED, id=each, mark=each))
        await uploads.complete(connection, "complete", sha256=SHA256, input_key="k")
        hours_ago = func.now() - timedelta(hours=3)
        await connection.execute(update(tables.uploads).values(touched_at=hours_ago))
        await uploads.touch(connection, "touched")

        expired = await uploads.take_expired(connection, timedelta(hours=1), ["old", "touched"])

        assert [each.id for each in expired] == ["old"]
        still_open = {each.id for each in await uploads.all_open(connection)}
        assert still_open == {"other", "touched"}
        assert (await uploads.get(connection, "me", "complete")).state is UploadState.COMPLETE

    in_transaction(database_conninfo, scenario)


def test_newest_upload_of_a_name_is_found_where_its_recording_lies(database_conninfo: str):
    async def scenario(connection: AsyncConnection) -> None:
        await uploads.add_complete(connection, WHOLE)
        await recordings.note(connection, FOUND)
        await set_completed(connection, "whole", hours_ago=1)
        newer = replace(WHOLE, id="newer", sha256=OTHER, input_key="inputs/h4n/old-place.wav")
        await uploads.add_complete(connection, newer)
        await recordings.note(connection, replace(FOUND, sha256=OTHER, input_key="inputs/h4n/b"))

        found = await uploads.newest(connection, "me", "some/folder/take.wav")

        assert (found.id, found.sha256, found.input_key) == ("newer", OTHER, "inputs/h4n/b")

    in_transaction(database_conninfo, scenario)


async def set_completed(connection: AsyncConnection, upload_id: str, *, hours_ago: int) -> None:
    change = update(tables.uploads).where(tables.uploads.c.id == upload_id)
    await connection.execute(change.values(completed_at=func.now() - timedelta(hours=hours_ago)))


def test_newest_upload_is_neither_open_nor_anothers_nor_deleted(database_conninfo: str):
    async def newest(connection: AsyncConnection) -> Upload:
        return await uploads.newest(connection, "me", "take.wav")

    async def scenario(connection: AsyncConnection) -> None:
        await uploads.begin(connection, WANTED)
        await uploads.add_complete(connection, replace(WHOLE, owner="you"))
        await recordings.note(connection, FOUND)
        with pytest.raises(NotUploaded, match=r"take\.wav"):
            await newest(connection)

        await uploads.add_complete(connection, replace(WHOLE, id="mine"))
        assert (await newest(connection)).id == "mine"

        await connection.execute(update(tables.recordings).values(deleted_at=func.now()))
        with pytest.raises(NotUploaded):
            await newest(connection)

    in_transaction(database_conninfo, scenario)
