"""A name in the store for an upload's file: taken, or given up with all that came of it.

The ledger knows of the name before anything lies under it. A crash at any moment then leaves an
upload that nobody goes on with, and what is under its name goes with it (``collection``).
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.service import Service
from stemset.api.uploads.desk import Desk
from stemset.dispatch.inputs import find_place, take_place
from stemset.errors import ObjectExists, ObjectNotFound, StorageError
from stemset.jobs import deletion, removal, uploads
from stemset.jobs.uploads import Method, Upload, Wanted
from stemset.telemetry import crash_point

_BUCKETS_TELL = timedelta(seconds=1)
"""Buckets tell the time in whole seconds."""


async def settle(desk: Desk, sha256: str) -> None:
    """Let a deletion of the recording that is under way end, so that it takes nothing new away."""
    service = desk.service
    await removal.settle(service.database, service.store, service.threads, sha256)


async def take_name(desk: Desk, wanted: Wanted) -> str:
    """Take a name for an upload's file; returns its key.

    Args:
        desk: What uploads share.
        wanted: The upload, with the file's hash.

    Raises:
        ObjectExists: Another content has claimed even the name that is made from the hash.
        StorageError, DatabaseError: It could not be taken now.
    """
    service, sha256 = desk.service, str(wanted.sha256)
    what = wanted.profile, wanted.filename, sha256, wanted.size_bytes
    is_last = False
    while True:
        found = await service.threads.run(find_place, service.store, *what)
        # What stands there already, somebody else has put there: it does not go with this upload.
        if not found.stands or wanted.method is Method.PRESIGNED:
            async with service.database.transaction() as connection:
                await uploads.set_place(connection, replace(wanted, input_key=found.key))
            await settle(desk, sha256)
        try:
            place = await service.threads.run(
                take_place, service.store, found.key, sha256, wanted.size_bytes
            )
        except ObjectExists:
            if is_last:
                raise
            is_last = True  # taken since it was looked for; there is one more name
        else:
            crash_point("upload:named")
            return place.key


async def give_up(desk: Desk, upload: Upload, *, has_written: bool = False) -> None:
    """Remove an open upload, and what came of it in the store.

    Args:
        desk: What uploads share.
        upload: The upload.
        has_written: Whether what lies under its name is known to be of this upload.

    Raises:
        StorageError, DatabaseError: It is not removed.
    """
    is_its_own = has_written or await is_of(desk.service, upload)
    async with desk.service.database.transaction() as connection:
        gone = await uploads.remove(connection, upload.id)
        if gone is not None and is_its_own:
            await doom(connection, gone)
    if gone is not None and gone.sha256:
        with suppress(StorageError):  # it is removed later
            await settle(desk, gone.sha256)


async def is_of(service: Service, upload: Upload) -> bool:
    """Whether what lies under an upload's name came with it, and was not there before."""
    if upload.method is not Method.PRESIGNED or upload.input_key is None:
        return True
    try:
        found = await service.threads.run(service.store.head, upload.input_key)
    except ObjectNotFound:
        return True
    return found.modified > upload.created_at - _BUCKETS_TELL


async def doom(connection: AsyncConnection, upload: Upload) -> None:
    """Have removed what an upload left in the store, in the transaction that removes the upload."""
    if upload.input_key is not None and upload.sha256 is not None:
        await deletion.doom_place(connection, upload.sha256, upload.input_key)
