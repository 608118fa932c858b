"""Uploads that nobody goes on with, and what crashes have left of others: found, and removed."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from stemset.api.service import Service
from stemset.api.uploads.desk import FOLDER
from stemset.api.uploads.division import length_of
from stemset.api.uploads.places import doom, is_of
from stemset.api.uploads.spool import is_in_use
from stemset.errors import ObjectNotFound
from stemset.jobs import uploads
from stemset.jobs.findings import Finding, Reason
from stemset.jobs.uploads import Method, Upload
from stemset.storage.presigned_upload import PresignedUploads

_UNTOUCHED_S = 3600.0
"""Another process of ours, that is about to stop, may be at work on files younger than this."""


@dataclass(frozen=True, slots=True)
class _Abandoned:
    found: Finding
    remove: Callable[[], None]


async def find(service: Service, older_than: timedelta) -> Sequence[Finding]:
    """Open uploads for which nothing came for so long, and what belongs to none.

    Args:
        service: What the process has.
        older_than: Age of the newest part, at least.

    Returns:
        Uploads of the ledger, those in parts that only the bucket knows, and files on this
        machine's disk.

    Raises:
        DatabaseError, StorageError: Not all can be seen now.
    """
    async with service.database.reading() as connection:
        expired = await uploads.expired(connection, older_than)
        still_open = await uploads.all_open(connection)
    work = partial(_all, service, older_than, expired, still_open)
    return await service.threads.run(lambda: [each.found for each in work()])


async def collect(service: Service, older_than: timedelta) -> Sequence[Finding]:
    """Remove what ``find`` gives. What lies in the store under an upload's name is doomed.

    Args:
        service: What the process has.
        older_than: Age of the newest part, at least.

    Returns:
        What was removed.

    Raises:
        DatabaseError, StorageError: What could not be removed now is so another time.
    """
    async with service.database.reading() as connection:
        found = await uploads.expired(connection, older_than)
    its_own = {each.id: await is_of(service, each) for each in found}
    async with service.database.transaction() as connection:
        expired = await uploads.take_expired(connection, older_than, its_own)
        for each in expired:
            if its_own[each.id]:
                await doom(connection, each)
        still_open = await uploads.all_open(connection)
    return await service.threads.run(_remove_all, service, older_than, expired, still_open)


def _remove_all(
    service: Service,
    older_than: timedelta,
    expired: Collection[Upload],
    still_open: Collection[Upload],
) -> Sequence[Finding]:
    removed: list[Finding] = []
    for each in _all(service, older_than, expired, still_open):
        each.remove()
        each.found.tell_removed()
        removed.append(each.found)
    return removed


def _all(
    service: Service,
    older_than: timedelta,
    expired: Collection[Upload],
    still_open: Collection[Upload],
) -> Iterator[_Abandoned]:
    has_bucket = service.store_settings.kind == "s3"
    bucket = PresignedUploads(service.store_settings) if has_bucket else None
    folder = service.scratch / FOLDER
    for upload in expired:
        yield _expired(upload, folder, bucket)
    with_spools = {each.id for each in still_open if each.method is not Method.WHOLE}
    yield from _files_of_none(folder, {*with_spools, *(each.id for each in expired)})
    if bucket is not None:
        named = {each.multipart_id for each in (*expired, *still_open) if each.multipart_id}
        yield from _unknown(bucket, older_than, named)


def _expired(upload: Upload, folder: Path, bucket: PresignedUploads | None) -> _Abandoned:
    """An upload of the ledger."""
    key, multipart_id = upload.input_key, upload.multipart_id
    came = sum(length_of(upload, part) for part in upload.received)
    if bucket is not None and key is not None and multipart_id is not None:
        with suppress(ObjectNotFound):
            came = sum(part.bytes for part in bucket.parts(key, multipart_id))
    found = Finding(
        Reason.UPLOAD_ABANDONED,
        upload.id,
        upload.profile,
        key or upload.filename,
        came,
        upload.touched_at,
    )

    def remove() -> None:
        (folder / upload.id).unlink(missing_ok=True)
        if bucket is not None and key is not None and multipart_id is not None:
            bucket.abort(key, multipart_id)

    return _Abandoned(found, remove)


def _files_of_none(folder: Path, known_ids: Collection[str]) -> Iterator[_Abandoned]:
    """Files of no upload, and parts, that nobody writes to."""
    untouched_s = time.time() - _UNTOUCHED_S
    for path in sorted(folder.glob("*")):
        upload_id, dot, _ = path.name.partition(".")
        if is_in_use(path) or (upload_id in known_ids and not dot):
            continue
        with suppress(FileNotFoundError):
            status = path.stat()
            if status.st_mtime < untouched_s:
                found = Finding(
                    Reason.UPLOAD_ABANDONED,
                    path.name,
                    None,
                    f"{FOLDER}/{path.name}",
                    status.st_size,
                    datetime.fromtimestamp(status.st_mtime, UTC),
                )
                yield _Abandoned(found, partial(path.unlink, missing_ok=True))


def _unknown(
    bucket: PresignedUploads, older_than: timedelta, known_ids: Collection[str]
) -> Iterator[_Abandoned]:
    """Uploads in parts that the bucket knows, and the ledger does not."""
    for each in bucket.abandoned(older_than, but=known_ids):
        found = Finding(
            Reason.UPLOAD_ABANDONED,
            each.multipart_id,
            each.key.split("/")[1],
            each.key,
            each.bytes,
            each.touched_at,
        )
        yield _Abandoned(found, partial(bucket.abort, each.key, each.multipart_id))
