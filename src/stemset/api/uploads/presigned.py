"""Parts that a client puts into the bucket itself, with links that are made here.

The bucket knows best which parts it has, so it is asked. Of the bytes, nobody of ours sees more
than tells whether they are a recording (``looking``): whether they have the hash that the client
announced is looked at before work with them starts, and the recording counts as unproven until
then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stemset.api.uploads.desk import Desk
from stemset.api.uploads.division import check_all_there, count_of, length_of
from stemset.api.uploads.keeping import known_again, proven, size_in_store
from stemset.api.uploads.looking import look_into_bucket
from stemset.api.uploads.places import give_up, settle, take_name
from stemset.errors import InputError, ObjectNotFound, UploadMismatch
from stemset.jobs import recordings, uploads
from stemset.jobs.recordings import Found
from stemset.jobs.uploads import Method, Upload, wanted_of
from stemset.storage import presigned_upload
from stemset.storage.presigned_upload import Part

PART_BYTES = 16 << 20


def part_length(size_bytes: int) -> int:
    """Length of all parts but the last, as every bucket takes them."""
    return presigned_upload.part_length(size_bytes, PART_BYTES)


async def open_for(desk: Desk, upload: Upload) -> Upload:
    """Begin the upload in the bucket, if that was not done. Call it alone with the upload.

    Raises:
        ObjectExists: Another content has claimed even the name that is made from the hash.
    """
    if upload.multipart_id is not None:
        return upload
    await settle(desk, str(upload.sha256))
    key = await take_name(desk, wanted_of(upload))
    multipart_id = await desk.service.threads.run(desk.presigned.begin, key)
    async with desk.service.database.transaction() as connection:
        await uploads.set_multipart(connection, upload.id, multipart_id)
    return replace(upload, input_key=key, multipart_id=multipart_id)


async def received(desk: Desk, upload: Upload) -> tuple[int, ...]:
    """Numbers of the parts that the bucket has, whole."""
    return tuple(_whole(upload, await _parts(desk, upload) or ()))


async def links(desk: Desk, upload: Upload, wanted: Sequence[int]) -> Sequence[str]:
    """Fresh links to put parts to, in order. Call it alone with the upload.

    An upload that the bucket has dropped meanwhile is begun anew; its parts are to be sent again.

    Raises:
        UploadMismatch: There is no such part, or the parts do not go to the bucket.
    """
    if upload.method is not Method.PRESIGNED:
        raise UploadMismatch("The parts of this upload are sent to this service, not to links.")
    for part in wanted:
        length_of(upload, part)
    if await _parts(desk, upload) is None:
        upload = await open_for(desk, replace(upload, multipart_id=None))
    async with desk.service.database.transaction() as connection:
        await uploads.touch(connection, upload.id)
    return [desk.presigned.link(_key(upload), str(upload.multipart_id), part) for part in wanted]


async def complete(
    desk: Desk, upload: Upload, sha256: str | None, etags: Mapping[int, str] | None
) -> None:
    """Let the bucket make the recording of its parts. Call it alone with the upload.

    Args:
        desk: What uploads share.
        upload: An open one.
        sha256: Its hash, if the client says it once more.
        etags: What the bucket answered to the client for each part; those of the bucket count, and
            must be the same.

    Raises:
        UploadIncomplete: Parts are missing, or do not have their length.
        UploadMismatch: The hash, the length or an ETag is another one.
        InputError: It is no recording, as far as a look can tell; it is removed.
        StorageError, NoSpace: It cannot be looked at now.
    """
    if sha256 not in {None, upload.sha256}:
        await remove(desk, upload)
        raise UploadMismatch(f"The upload was begun for the SHA-256 {upload.sha256}, not {sha256}.")
    found = await _proven_meanwhile(desk, upload) or await _made(desk, upload, etags)
    async with desk.service.database.transaction() as connection:
        await uploads.complete(
            connection, upload.id, sha256=found.sha256, input_key=str(found.input_key)
        )
        await recordings.note(connection, found)


async def remove(desk: Desk, upload: Upload, *, has_written: bool = False) -> None:
    """Remove an open upload and what came of it; see ``places.give_up``."""
    await give_up(desk, upload, has_written=has_written)
    await drop(desk, upload)


async def drop(desk: Desk, upload: Upload) -> None:
    """Drop the parts that the bucket has."""
    if upload.multipart_id is not None:
        run = desk.service.threads.run
        await run(desk.presigned.abort, _key(upload), upload.multipart_id)


async def _proven_meanwhile(desk: Desk, upload: Upload) -> Found | None:
    """The recording, if its bytes came in another way: nothing is written over them."""
    known = await proven(desk, str(upload.sha256), upload.size_bytes)
    if known is None:
        return None
    await drop(desk, upload)
    return known_again(known, filename=upload.filename, owner=upload.owner)


async def _made(desk: Desk, upload: Upload, etags: Mapping[int, str] | None) -> Found:
    key = _key(upload)
    await _complete_in_bucket(desk, upload, etags)
    size = await size_in_store(desk, key)
    if size != upload.size_bytes:
        await remove(desk, upload, has_written=True)
        raise UploadMismatch(f"The file has {size or 0:,} bytes, not {upload.size_bytes:,}.")
    try:
        await look_into_bucket(desk, upload)
    except InputError:
        await remove(desk, upload, has_written=True)
        raise
    return Found(
        sha256=str(upload.sha256),
        filename=upload.filename,
        bytes=upload.size_bytes,
        input_key=key,
        is_proven=False,
        owner=upload.owner,
    )


async def _complete_in_bucket(desk: Desk, upload: Upload, etags: Mapping[int, str] | None) -> None:
    """Make the object; if that was done before, its answer being lost, it is there."""
    parts = await _parts(desk, upload)
    if parts is None:
        size = await size_in_store(desk, _key(upload))
        if size != upload.size_bytes:
            check_all_there(upload, ())
        return
    check_all_there(upload, _whole(upload, parts))
    for part in parts:
        if etags and etags.get(part.number, part.etag).strip('"') != part.etag.strip('"'):
            raise UploadMismatch(f"Part {part.number} was put again since; its ETag is another.")
    run, key = desk.service.threads.run, _key(upload)
    await run(desk.presigned.complete, key, str(upload.multipart_id), parts)


async def _parts(desk: Desk, upload: Upload) -> Sequence[Part] | None:
    """What the bucket has; None if it knows of no such upload."""
    if upload.multipart_id is None:
        return None
    run = desk.service.threads.run
    try:
        return await run(desk.presigned.parts, _key(upload), upload.multipart_id)
    except ObjectNotFound:
        return None


def _whole(upload: Upload, parts: Sequence[Part]) -> list[int]:
    last = count_of(upload)
    return [
        part.number
        for part in parts
        if part.number <= last and part.bytes == length_of(upload, part.number)
    ]


def _key(upload: Upload) -> str:
    return str(upload.input_key)
