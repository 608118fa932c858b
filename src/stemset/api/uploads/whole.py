"""An upload in one piece: a form with a file."""

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.quotas import check_upload
from stemset.api.uploads.body import announced_length, blocks
from stemset.api.uploads.desk import Desk
from stemset.api.uploads.form import PROFILE, Form
from stemset.api.uploads.keeping import check_size, keep, proven
from stemset.api.uploads.kept import note_kept
from stemset.api.uploads.places import give_up
from stemset.api.uploads.spool import check_space, fill, spooling
from stemset.errors import StemsetError, UploadTooLarge
from stemset.jobs import uploads
from stemset.jobs.caller import Caller
from stemset.jobs.filenames import shown_name
from stemset.jobs.uploads import Method, Upload, Wanted

_FORM_OVERHEAD_BYTES = 128 << 10  # boundaries, headers, fields: more than 16 parts can need


async def receive(desk: Desk, request: Request, caller: Caller) -> Upload:
    """Receive a form with a file and make it a recording.

    Raises:
        RequestValidationError: It is no such form.
        UnknownProfile, Forbidden: The profile is none, or not the caller's.
        UploadTooLarge, UploadStalled, ServiceBusy, NoSpace, QuotaExceeded: As they say.
        InputError: The file is no recording.
    """
    form = Form(request.headers.get("content-type", ""))
    with desk.admitted():
        _check_announced(desk, request)
        upload_id = secrets.token_hex(16)
        with spooling(desk.folder / upload_id) as spool:
            await fill(spool, _file_in(desk, request, caller, form), desk.service.threads)
            filename = shown_name(form.end())
            profile = desk.profile_for(caller, form.fields.get(PROFILE))
            check_size(desk, spool.bytes)
            await desk.service.threads.run(spool.sync)
            wanted = Wanted(
                id=upload_id,
                owner=caller.id,
                filename=filename,
                profile=profile,
                method=Method.WHOLE,
                size_bytes=spool.bytes,
                sha256=spool.sha256,
            )
            async with desk.ending:
                if await proven(desk, spool.sha256, spool.bytes) is None:
                    await _check_quota(desk, profile, spool.bytes)
                return await _kept(desk, spool.path, wanted)


async def _kept(desk: Desk, path: Path, wanted: Wanted) -> Upload:
    noted: list[Upload] = []

    async def note(connection: AsyncConnection, input_key: str) -> None:
        known = {"sha256": str(wanted.sha256), "input_key": input_key}
        if not await uploads.complete(connection, wanted.id, **known):
            await uploads.add_complete(connection, replace(wanted, input_key=input_key))
        noted.append(await uploads.get(connection, wanted.owner, wanted.id))

    try:
        await keep(desk, path, wanted, note)
    except StemsetError:
        with suppress(StemsetError):  # else it is removed when it is old
            await _forget(desk, wanted)
        raise
    note_kept(noted[-1])
    return noted[-1]


async def _forget(desk: Desk, wanted: Wanted) -> None:
    """Leave nothing of an upload that could not be kept."""
    async with desk.service.database.reading() as connection:
        begun = await uploads.get_open(connection, wanted.owner, wanted.id)
    await give_up(desk, begun)


async def _file_in(
    desk: Desk, request: Request, caller: Caller, form: Form
) -> AsyncIterator[bytes]:
    """The file's bytes, checked as far as anything is known."""
    limit = desk.service.settings.max_upload_bytes
    came = in_all = 0
    async for block in blocks(request, desk.pace):
        in_all += len(block)
        for piece in form.feed(block):
            came += len(piece)
            if came == len(piece) and PROFILE in form.before_file:
                profile = desk.profile_for(caller, form.before_file[PROFILE])
                await _check_quota(desk, profile, 0)
            if came > limit:
                check_size(desk, came)
            yield piece
        if in_all > limit + _FORM_OVERHEAD_BYTES:
            raise UploadTooLarge(f"The form is longer than its file may be, {limit:,} bytes.")


async def _check_quota(desk: Desk, profile: str, size_bytes: int) -> None:
    async with desk.service.database.transaction() as connection:
        await check_upload(desk.service, connection, profile, size_bytes)


def _check_announced(desk: Desk, request: Request) -> None:
    """Refuse at once what is known to be too long."""
    announced = announced_length(request) or 0
    if announced > desk.service.settings.max_upload_bytes + _FORM_OVERHEAD_BYTES:
        check_size(desk, announced)
    check_space(desk.folder, announced)
