"""Removes uploads that nobody goes on with, and what crashes have left of others."""

import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from stemset.api.service import Service
from stemset.api.uploads.desk import FOLDER
from stemset.api.uploads.spool import is_in_use
from stemset.jobs import uploads
from stemset.jobs.uploads import Upload
from stemset.storage.presigned_upload import PresignedUploads
from stemset.telemetry import get_logger

_log = get_logger("api")

_UNTOUCHED_S = 3600.0
"""Another process of ours, that is about to stop, may be at work on files younger than this."""


async def collect(service: Service, older_than: timedelta) -> int:
    """Remove open uploads for which nothing came for so long, and what belongs to none.

    Args:
        service: What the process has.
        older_than: Age of the newest part, at least.

    Returns:
        How many uploads were removed.

    Raises:
        DatabaseError, StorageError: What could not be removed now is so another time.
    """
    async with service.database.transaction() as connection:
        expired = await uploads.take_expired(connection, older_than)
        still_open = await uploads.all_open(connection)
    await service.threads.run(
        _remove_files, service.scratch / FOLDER, {each.id for each in still_open}, expired
    )
    if service.store_settings.kind == "s3":
        await service.threads.run(_abort, service, older_than, still_open)
    for upload in expired:
        _log.info("Upload expired", upload_id=upload.id, filename=upload.filename)
    return len(expired)


def _remove_files(folder: Path, open_ids: Collection[str], expired: Collection[Upload]) -> None:
    """Remove the files of uploads that expired, and those of none that nobody writes to."""
    expired_ids = {each.id for each in expired}
    untouched_s = time.time() - _UNTOUCHED_S
    for path in folder.glob("*"):
        upload_id, dot, _ = path.name.partition(".")
        is_kept = is_in_use(path) or (upload_id in open_ids and not dot)
        try:
            if upload_id in expired_ids or (not is_kept and path.stat().st_mtime < untouched_s):
                path.unlink()
        except FileNotFoundError:
            continue


def _abort(service: Service, older_than: timedelta, still_open: Collection[Upload]) -> None:
    """Drop old uploads from the bucket: those that expired are among them."""
    ids = {each.multipart_id for each in still_open if each.multipart_id}
    PresignedUploads(service.store_settings).abort_old(older_than, but=ids)
