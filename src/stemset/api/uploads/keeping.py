"""A file all of whose bytes are here becomes a recording: looked at, stored, and noted."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.uploads.desk import Desk
from stemset.audio.decode import DecodeLimits, probe
from stemset.audio.formats import RecordingFormat
from stemset.dispatch.inputs import claim_place
from stemset.errors import InputEmpty, InputError, ObjectNotFound, UploadTooLarge
from stemset.jobs import recordings, removal
from stemset.jobs.recordings import Found, Recording
from stemset.storage.placing import place

PROBE_CPU_S = 20
"""A header takes 0.12 CPU-seconds with the start of its process; a hostile one takes no more."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is here.

    Attributes:
        path: Where it lies; synchronised.
        sha256: Hash of its bytes.
        bytes: Its length.
        filename: Its name, as people see it.
        profile: The profile that it is for.
        owner: Who sent it.
    """

    path: Path
    sha256: str
    bytes: int
    filename: str
    profile: str
    owner: str


def check_size(desk: Desk, size_bytes: int) -> None:
    """Refuse a file by its length. Raises UploadTooLarge, InputEmpty."""
    limit = desk.service.settings.max_upload_bytes
    if size_bytes > limit:
        raise UploadTooLarge(f"A file may have {limit:,} bytes; this one has more.")
    if not size_bytes:
        raise InputEmpty("The file is empty.")


async def keep(
    desk: Desk, file: Arrived, note_upload: Callable[[AsyncConnection, str], Awaitable[object]]
) -> None:
    """Make a file a recording. It is in the store, durable, before the ledger speaks of it.

    Args:
        desk: What uploads share.
        file: The file.
        note_upload: Called in the transaction that notes the recording, with its key.

    Raises:
        InputError: It is none that Stemset could work on; nothing of it is kept.
        StorageError, DatabaseError, NoSpace: It could not be kept now.
    """
    await settle(desk, file.sha256)
    found = await _standing(desk, file) or await _stored(desk, file)
    async with desk.service.database.transaction() as connection:
        await note_upload(connection, str(found.input_key))
        await recordings.note(connection, found)
    if await _was_removed(desk, found):
        found = await _stored(desk, file)
        async with desk.service.database.transaction() as connection:
            await recordings.note(connection, found)


async def settle(desk: Desk, sha256: str) -> None:
    """Let a deletion of the recording that is under way end, so that it takes nothing new away."""
    service = desk.service
    await removal.settle(service.database, service.store, service.threads, sha256)


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


async def _standing(desk: Desk, file: Arrived) -> Found | None:
    known = await proven(desk, file.sha256, file.bytes)
    if known is None or known.duration_s is None:
        return None
    if known.duration_s > desk.service.settings.max_duration_s:
        return None  # the limit was lowered since: looked at again, it is refused in due form
    return known_again(known, filename=file.filename, owner=file.owner)


async def _stored(desk: Desk, file: Arrived) -> Found:
    recording = await _probed(desk, file)
    return Found(
        sha256=file.sha256,
        filename=file.filename,
        bytes=file.bytes,
        duration_s=recording.duration_s,
        rate_hz=recording.rate_hz,
        channels=len(recording.channels),
        input_key=await _store(desk, file),
        is_proven=True,
        owner=file.owner,
    )


async def _probed(desk: Desk, file: Arrived) -> RecordingFormat:
    """What the file is made of; its errors speak of the name that the client knows."""
    limits = DecodeLimits(
        max_duration_s=desk.service.settings.max_duration_s, probe_cpu_s=PROBE_CPU_S
    )
    try:
        async with desk.probing:
            return await desk.service.threads.run(probe, file.path, limits)
    except InputError as error:
        raise type(error)(str(error).replace(str(file.path), file.filename)) from error


async def _store(desk: Desk, file: Arrived) -> str:
    """Put the file into the store; returns its key."""
    service = desk.service
    async with desk.moving:
        lies = await service.threads.run(
            claim_place, service.store, file.profile, file.filename, file.sha256, file.bytes
        )
        await service.threads.move(
            lambda on_bytes: place(
                service.store, service.store_settings, file.path, lies.key, on_bytes=on_bytes
            ),
            lambda _: None,
        )
    return lies.key
