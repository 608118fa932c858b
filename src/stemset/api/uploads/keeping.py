"""A file all of whose bytes are here becomes a recording: looked at, stored, and noted."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.uploads.desk import Desk
from stemset.api.uploads.looking import look_at
from stemset.api.uploads.places import settle, take_name
from stemset.errors import InputEmpty, ObjectNotFound, UploadTooLarge
from stemset.jobs import recordings
from stemset.jobs.recordings import Found, Recording
from stemset.jobs.uploads import Wanted
from stemset.storage.placing import place
from stemset.telemetry import crash_point


def check_size(desk: Desk, size_bytes: int) -> None:
    """Refuse a file by its length. Raises UploadTooLarge, InputEmpty."""
    limit = desk.service.settings.max_upload_bytes
    if size_bytes > limit:
        raise UploadTooLarge(f"A file may have {limit:,} bytes; this one has more.")
    if not size_bytes:
        raise InputEmpty("The file is empty.")


async def keep(
    desk: Desk,
    path: Path,
    wanted: Wanted,
    note_upload: Callable[[AsyncConnection, str], Awaitable[object]],
) -> None:
    """Make a file a recording. It is in the store, durable, before the ledger speaks of it.

    Args:
        desk: What uploads share.
        path: The file; synchronised. The caller holds ``desk.ending``.
        wanted: Its upload, with its hash.
        note_upload: Called in the transaction that notes the recording, with its key.

    Raises:
        InputError: It is none that Stemset could work on; nothing of it is kept.
        StorageError, DatabaseError, NoSpace: It could not be kept now.
    """
    await settle(desk, str(wanted.sha256))
    found = await _standing(desk, wanted) or await _stored(desk, path, wanted)
    async with desk.service.database.transaction() as connection:
        await note_upload(connection, str(found.input_key))
        await recordings.note(connection, found)
    if await _was_removed(desk, found):
        found = await _stored(desk, path, wanted)
        async with desk.service.database.transaction() as connection:
            await recordings.note(connection, found)


async def proven(desk: Desk, sha256: str, size_bytes: int) -> Recording | None:
    """The recording with this hash if it need not be sent: proven, not deleted, and still there."""
    async with desk.service.database.reading() as connection:
        known = await recordings.find(connection, sha256)
    if known is None or known.deleted_at is not None or not known.is_proven:
        return None
    if known.bytes != size_bytes or not known.input_key:
        return None
    return known if await size_in_store(desk, known.input_key) == size_bytes else None


async def size_in_store(desk: Desk, key: str) -> int | None:
    """Length of what lies under a key, None if there is nothing."""
    try:
        return (await desk.service.threads.run(desk.service.store.head, key)).bytes
    except ObjectNotFound:
        return None


def known_again(known: Recording, *, filename: str, owner: str) -> Found:
    """A recording that stands, found once more."""
    return Found(
        sha256=known.sha256,
        filename=filename,
        bytes=known.bytes,
        input_key=known.input_key,
        is_proven=known.is_proven,
        owner=owner,
    )


async def _was_removed(desk: Desk, found: Found) -> bool:
    """Whether a deletion that came while the recording was stored took its bytes away again."""
    await settle(desk, found.sha256)
    if await size_in_store(desk, str(found.input_key)) is not None:
        return False
    async with desk.service.database.reading() as connection:
        now = await recordings.find(connection, found.sha256)
    return now is not None and now.deleted_at is None  # else it was deleted after it was noted


async def _standing(desk: Desk, wanted: Wanted) -> Found | None:
    known = await proven(desk, str(wanted.sha256), wanted.size_bytes)
    if known is None or known.duration_s is None:
        return None
    if known.duration_s > desk.service.settings.max_duration_s:
        return None  # the limit was lowered since: looked at again, it is refused in due form
    return known_again(known, filename=wanted.filename, owner=wanted.owner)


async def _stored(desk: Desk, path: Path, wanted: Wanted) -> Found:
    recording = await look_at(desk, path, wanted.filename)
    return Found(
        sha256=str(wanted.sha256),
        filename=wanted.filename,
        bytes=wanted.size_bytes,
        duration_s=recording.duration_s,
        rate_hz=recording.rate_hz,
        channels=len(recording.channels),
        input_key=await _store(desk, path, wanted),
        is_proven=True,
        owner=wanted.owner,
    )


async def _store(desk: Desk, path: Path, wanted: Wanted) -> str:
    """Put the file into the store; returns its key."""
    service = desk.service
    async with desk.moving:
        key = await take_name(desk, wanted)
        await service.threads.move(
            lambda on_bytes: place(
                service.store, service.store_settings, path, key, on_bytes=on_bytes
            ),
            lambda _: None,
        )
    crash_point("upload:stored")
    return key
