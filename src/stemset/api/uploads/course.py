"""An upload in parts from its begin to its end, whichever way its parts take."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stemset.api.quotas import check_upload
from stemset.api.uploads import direct, presigned
from stemset.api.uploads.desk import Desk
from stemset.api.uploads.division import count_of
from stemset.api.uploads.keeping import check_size, known_again, proven
from stemset.api.uploads.kept import note_kept
from stemset.errors import UploadMismatch
from stemset.jobs import recordings, uploads
from stemset.jobs.caller import Caller
from stemset.jobs.filenames import shown_name
from stemset.jobs.recordings import Recording
from stemset.jobs.uploads import Method, Upload, UploadState, Wanted


@dataclass(frozen=True, slots=True)
class Announced:
    """What a client says of a file that it wants to send.

    Attributes:
        filename: Its name.
        size_bytes: Its length.
        profile: The profile that it is for, None for the first that the caller may use.
        sha256: Its hash, if the client knows it.
        mark: How the client knows it again after a reload.
    """

    filename: str
    size_bytes: int
    profile: str | None = None
    sha256: str | None = None
    mark: str | None = None


async def begin(desk: Desk, caller: Caller, announced: Announced) -> Upload:
    """Begin an upload, or go on with the caller's open one of the same file.

    If the recording is here already the upload is complete at once.

    Raises:
        UploadTooLarge, InputEmpty: Its length is none that is accepted.
        UnknownProfile, Forbidden: The profile is none, or not the caller's.
        ServiceBusy: The caller has too many uploads open.
        QuotaExceeded: The profile has no room for it.
        NoSpace: There is no room for it.
    """
    check_size(desk, announced.size_bytes)
    wanted = _wanted(desk, caller, announced)
    if known := await _known(desk, caller, wanted):
        return await _at_once(desk, wanted, known)
    async with desk.service.database.transaction() as connection:
        upload = await uploads.begin(connection, wanted)
        if upload.id == wanted.id:  # else room for it was found before
            await check_upload(desk.service, connection, upload.profile)
    async with desk.alone_with(upload.id):
        way = presigned if upload.method is Method.PRESIGNED else direct
        return await seen(desk, await way.open_for(desk, await look_up(desk, caller, upload.id)))


async def look_up(desk: Desk, caller: Caller, upload_id: str) -> Upload:
    """One of the caller's uploads. Raises UploadNotFound."""
    async with desk.service.database.reading() as connection:
        return await uploads.get(connection, caller.id, upload_id)


async def list_open(desk: Desk, caller: Caller) -> Sequence[Upload]:
    """The caller's open uploads, the newest first, with what is really there of each."""
    async with desk.service.database.reading() as connection:
        found = await uploads.list_open(connection, caller.id)
    return await asyncio.gather(*(seen(desk, upload) for upload in found))


async def seen(desk: Desk, upload: Upload) -> Upload:
    """An upload with the parts that are really there."""
    if upload.state is UploadState.COMPLETE:
        return replace(upload, received=tuple(range(1, count_of(upload) + 1)))
    if upload.method is Method.PRESIGNED:
        return replace(upload, received=await presigned.received(desk, upload))
    return upload if direct.path_of(desk, upload).exists() else replace(upload, received=())


async def links(desk: Desk, caller: Caller, upload_id: str, wanted: Sequence[int]) -> Sequence[str]:
    """Fresh links to put parts to, in order. Raises as ``presigned.links``."""
    async with desk.alone_with(upload_id):
        return await presigned.links(desk, await _open_one(desk, caller, upload_id), wanted)


async def complete(
    desk: Desk,
    caller: Caller,
    upload_id: str,
    *,
    sha256: str | None = None,
    etags: Mapping[int, str] | None = None,
) -> Upload:
    """End an upload. Whoever ends it again, or at the same time, gets the same answer.

    Raises:
        UploadNotFound: There is no such upload.
        UploadIncomplete, UploadMismatch, InputError: As ``direct.complete`` and
            ``presigned.complete``.
    """
    async with desk.alone_with(upload_id):
        upload = await _touched(desk, caller, upload_id)
        if upload.state is UploadState.COMPLETE:
            if sha256 not in {None, upload.sha256}:
                raise UploadMismatch(f"The upload has the SHA-256 {upload.sha256}, not {sha256}.")
            return await seen(desk, upload)
        if upload.method is Method.PRESIGNED:
            await presigned.complete(desk, upload, sha256, etags)
        else:
            await direct.complete(desk, upload, sha256)
        done = await look_up(desk, caller, upload_id)
        note_kept(done)
        return await seen(desk, done)


async def abort(desk: Desk, caller: Caller, upload_id: str) -> None:
    """Give an open upload up. Raises UploadNotFound, UploadComplete."""
    async with desk.alone_with(upload_id):
        upload = await _open_one(desk, caller, upload_id)
        way = presigned if upload.method is Method.PRESIGNED else direct
        await way.remove(desk, upload)


async def _touched(desk: Desk, caller: Caller, upload_id: str) -> Upload:
    """One of the caller's uploads, which nobody takes for abandoned while it ends."""
    upload = await look_up(desk, caller, upload_id)
    async with desk.service.database.transaction() as connection:
        is_open = await uploads.touch(connection, upload.id)
    return upload if is_open else await look_up(desk, caller, upload_id)


async def _open_one(desk: Desk, caller: Caller, upload_id: str) -> Upload:
    async with desk.service.database.reading() as connection:
        return await uploads.get_open(connection, caller.id, upload_id)


def _wanted(desk: Desk, caller: Caller, announced: Announced) -> Wanted:
    is_past_us = announced.sha256 and desk.service.store_settings.kind == "s3"
    way = presigned if is_past_us else direct
    return Wanted(
        id=secrets.token_hex(16),
        owner=caller.id,
        filename=shown_name(announced.filename),
        profile=desk.profile_for(caller, announced.profile),
        method=Method.PRESIGNED if is_past_us else Method.DIRECT,
        size_bytes=announced.size_bytes,
        part_bytes=way.part_length(announced.size_bytes),
        sha256=announced.sha256,
        mark=announced.mark,
    )


async def _known(desk: Desk, caller: Caller, wanted: Wanted) -> Recording | None:
    """The recording, if it need not be sent; whoever knows its hash alone must be let see it."""
    if wanted.sha256 is None:
        return None
    known = await proven(desk, wanted.sha256, wanted.size_bytes)
    return known if known and caller.sees(_profile_of(known)) else None


async def _at_once(desk: Desk, wanted: Wanted, known: Recording) -> Upload:
    """An upload of what is here already."""
    found = known_again(known, filename=wanted.filename, owner=wanted.owner)
    async with desk.service.database.transaction() as connection:
        wanted = replace(wanted, input_key=known.input_key)
        upload = await uploads.add_complete(connection, wanted)
        await recordings.note(connection, found)
    note_kept(upload)
    return await seen(desk, upload)


def _profile_of(recording: Recording) -> str:
    """The profile below whose name a recording lies."""
    return str(recording.input_key).split("/")[1]
