"""Parts that come through this service, into one file in which every part has its place.

What was received stands in the ledger, so a reload of the page loses nothing and a restart of the
service no more than the parts under way. A part is first written to a file of its own: one that
breaks off, or comes twice at a time, spoils nothing.
"""

import math
import secrets
from dataclasses import replace
from pathlib import Path

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.uploads.body import exactly
from stemset.api.uploads.desk import Desk
from stemset.api.uploads.division import MAX_PARTS, check_all_there, length_of, offset_of
from stemset.api.uploads.keeping import keep
from stemset.api.uploads.places import give_up
from stemset.api.uploads.spool import check_space, copy_into, fill, hash_of, make, spooling
from stemset.errors import InputError, NoSpace, UploadMismatch
from stemset.jobs import uploads
from stemset.jobs.caller import Caller
from stemset.jobs.uploads import Method, Upload, wanted_of

PART_BYTES = 8 << 20
"""A part that breaks off is sent again whole: at 1 Mbit/s this one takes a minute."""


def part_length(size_bytes: int) -> int:
    """Length of all parts but the last, of which there are at most ``MAX_PARTS``."""
    return max(PART_BYTES, math.ceil(size_bytes / MAX_PARTS))


async def open_for(desk: Desk, upload: Upload) -> Upload:
    """Make room for an upload; if its file is gone, none of its parts is here any more.

    Call it alone with the upload.

    Raises:
        NoSpace: The disk has no room for it; it is removed if nothing came of it yet.
    """
    path = path_of(desk, upload)
    run = desk.service.threads.run
    if not await run(_has_length, path, upload.size_bytes):
        path.unlink(missing_ok=True)
        await run(make, path, upload.size_bytes)
        async with desk.service.database.transaction() as connection:
            await uploads.forget_received(connection, upload.id)
        upload = replace(upload, received=())
    left = upload.size_bytes - sum(length_of(upload, part) for part in upload.received)
    try:
        await run(check_space, desk.folder, left)
    except NoSpace:
        if not upload.received:
            await remove(desk, upload)
        raise
    return upload


async def receive(desk: Desk, caller: Caller, upload_id: str, part: int, request: Request) -> None:
    """Receive a part. The same one twice is no error; the first one counts.

    Raises:
        UploadNotFound, UploadComplete: There is no such open upload.
        UploadMismatch: There is no such part, or it has another length.
        UploadStalled, ServiceBusy, NoSpace: As they say.
    """
    upload = await _open_one(desk, caller, upload_id)
    length = length_of(upload, part)
    path = desk.folder / f"{upload.id}.{part}.{secrets.token_hex(4)}"
    with desk.admitted(), spooling(path) as spool:
        body = exactly(request, desk.pace, length)
        await fill(spool, body, desk.service.threads)
        async with desk.alone_with(upload.id):
            upload = await open_for(desk, await _open_one(desk, caller, upload_id))
            if part not in upload.received:
                await _put(desk, upload, part, path)


async def complete(desk: Desk, upload: Upload, sha256: str | None) -> None:
    """Make an upload a recording. Call it alone with the upload.

    Args:
        desk: What uploads share.
        upload: An open one.
        sha256: Its hash, as the client says.

    Raises:
        UploadIncomplete: Parts are missing.
        UploadMismatch: It has another hash; it is removed.
        InputError: It is no recording; it is removed.
    """
    upload = await open_for(desk, upload)
    check_all_there(upload, upload.received)
    path = path_of(desk, upload)
    async with desk.moving:
        found = await desk.service.threads.run(hash_of, path)
    if any(said and said != found for said in (sha256, upload.sha256)):
        await remove(desk, upload)
        raise UploadMismatch(f"What came has the SHA-256 {found}, not the one that was announced.")

    async def note(connection: AsyncConnection, input_key: str) -> None:
        await uploads.complete(connection, upload.id, sha256=found, input_key=input_key)

    try:
        async with desk.ending:
            await keep(desk, path, replace(wanted_of(upload), sha256=found), note)
    except InputError:
        await remove(desk, upload)
        raise
    path.unlink(missing_ok=True)


async def remove(desk: Desk, upload: Upload) -> None:
    """Remove an open upload and what came of it."""
    await give_up(desk, upload)
    path_of(desk, upload).unlink(missing_ok=True)


def path_of(desk: Desk, upload: Upload) -> Path:
    """The file that an upload's parts are written into."""
    return desk.folder / upload.id


async def _open_one(desk: Desk, caller: Caller, upload_id: str) -> Upload:
    async with desk.service.database.reading() as connection:
        upload = await uploads.get_open(connection, caller.id, upload_id)
    if upload.method is not Method.DIRECT:
        raise UploadMismatch("The parts of this upload are put to links; ask for them.")
    return upload


async def _put(desk: Desk, upload: Upload, part: int, path: Path) -> None:
    """Write a part into its place, then say that it is there."""
    await desk.service.threads.run(copy_into, path, path_of(desk, upload), offset_of(upload, part))
    async with desk.service.database.transaction() as connection:
        if not await uploads.receive(connection, upload.id, part):
            await uploads.get_open(connection, upload.owner, upload.id)


def _has_length(path: Path, length: int) -> bool:
    try:
        return path.stat().st_size == length
    except FileNotFoundError:
        return False
