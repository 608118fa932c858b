"""Uploads in the ledger: files that were sent, and those that are being sent in parts.

An upload belongs to who began it; to anybody else there is none. Its file name is what people see
(``filenames.shown_name``), never part of a path or key.

Where a file is about to lie in the store is noted before anything of it does: so what a crash
leaves there is known, and is removed with its upload (``take_expired``, ``deletion.doom_place``).
An upload in one piece has a row from that moment on only, which its owner does not see.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import NotUploaded, ServiceBusy, UploadComplete, UploadNotFound
from stemset.jobs import tables
from stemset.jobs._upload_rows import (
    Method,
    Upload,
    UploadState,
    Wanted,
    select_uploads,
    selected,
    upload_of,
    wanted_of,
)
from stemset.jobs.filenames import shown_name

__all__ = [
    "MAX_OPEN",
    "Method",
    "Upload",
    "UploadState",
    "Wanted",
    "add_complete",
    "all_open",
    "begin",
    "complete",
    "expired",
    "forget_received",
    "get",
    "get_open",
    "list_open",
    "newest",
    "receive",
    "remove",
    "set_multipart",
    "set_place",
    "take_expired",
    "touch",
    "wanted_of",
]

MAX_OPEN = 100
"""Uploads that one caller may have open."""

_COLUMNS = tables.uploads.c
_SAME = ("filename", "profile", "method", "size_bytes", "part_bytes")


async def begin(connection: AsyncConnection, wanted: Wanted) -> Upload:
    """Begin an upload in parts, or find the caller's open one of the same file.

    Files are the same if all is equal that is known of both; but name and length are not enough,
    since recorders count their files anew on every card and end them at one length: either a mark
    or a hash must be equal as well.

    Raises:
        ServiceBusy: The caller has ``MAX_OPEN`` uploads open.
    """
    await _one_at_a_time(connection, wanted.owner)
    if same := await _same(connection, wanted):
        await touch(connection, same.id)
        return same
    open_ones = select(func.count()).where(_is_open(wanted.owner)).select_from(tables.uploads)
    if (await connection.execute(open_ones)).scalar_one() >= MAX_OPEN:
        raise ServiceBusy(f"You have {MAX_OPEN} uploads open; end or delete some of them first.")
    return await _insert(connection, wanted, state=UploadState.RECEIVING)


async def add_complete(connection: AsyncConnection, wanted: Wanted) -> Upload:
    """Note an upload all of whose bytes are here. It must have a hash and a key."""
    return await _insert(connection, wanted, state=UploadState.COMPLETE, completed_at=func.now())


async def get(connection: AsyncConnection, owner: str, upload_id: str) -> Upload:
    """Look one of the caller's uploads up. Raises UploadNotFound."""
    query = select_uploads().where(_COLUMNS.id == upload_id, _COLUMNS.owner == owner)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UploadNotFound(f"There is no upload {upload_id!r}.")
    return upload_of(row)


async def get_open(connection: AsyncConnection, owner: str, upload_id: str) -> Upload:
    """Look one of the caller's open uploads up. Raises UploadNotFound, UploadComplete."""
    upload = await get(connection, owner, upload_id)
    if upload.state is UploadState.COMPLETE:
        raise UploadComplete(f"The upload {upload_id!r} is complete.")
    return upload


async def list_open(connection: AsyncConnection, owner: str) -> Sequence[Upload]:
    """The caller's open uploads, the newest first."""
    query = (
        select_uploads().where(_is_open(owner)).order_by(_COLUMNS.created_at.desc(), _COLUMNS.id)
    )
    return [upload_of(row) for row in await connection.execute(query)]


async def newest(connection: AsyncConnection, owner: str, filename: str) -> Upload:
    """The caller's newest complete upload of a name, its ``input_key`` where it lies now.

    Raises:
        NotUploaded: There is none, or its recording was deleted since.
    """
    recordings = tables.recordings.c
    query = (
        select_uploads()
        .add_columns(recordings.input_key.label("lies_at"))
        .join(tables.recordings, _COLUMNS.sha256 == recordings.sha256)
        .where(
            _COLUMNS.owner == owner,
            _COLUMNS.filename == shown_name(filename),
            _COLUMNS.state == UploadState.COMPLETE,
            recordings.deleted_at.is_(None),
            recordings.input_key.is_not(None),
        )
        .order_by(_COLUMNS.completed_at.desc(), _COLUMNS.created_at.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotUploaded(f"You have uploaded no file named {filename!r}.")
    *columns, lies_at = row
    return replace(upload_of(columns), input_key=lies_at)


async def receive(connection: AsyncConnection, upload_id: str, part: int) -> bool:
    """Note that a part is here; returns whether the upload is still open for it."""
    number = cast(part, JSONB)
    received = case(
        (_COLUMNS.received.contains(number), _COLUMNS.received),
        else_=_COLUMNS.received.op("||")(number),
    )
    return await _change_open(connection, upload_id, received=received)


async def forget_received(connection: AsyncConnection, upload_id: str) -> None:
    """Note that none of the parts is here any more."""
    await _change_open(connection, upload_id, received=[])


async def set_place(connection: AsyncConnection, wanted: Wanted) -> None:
    """Note where the file of an open upload is to lie; one in one piece is begun by that.

    Args:
        connection: The transaction.
        wanted: The upload, with the file's hash and key.
    """
    values = {name: getattr(wanted, name) for name in Wanted.__slots__}
    new = postgresql.insert(tables.uploads).values(**values, state=UploadState.RECEIVING)
    place = new.on_conflict_do_update(
        index_elements=[_COLUMNS.id],
        set_={
            "input_key": wanted.input_key,
            "sha256": wanted.sha256,
            "touched_at": func.now(),
        },
        where=_COLUMNS.state == UploadState.RECEIVING,
    )
    await connection.execute(place)


async def set_multipart(connection: AsyncConnection, upload_id: str, multipart_id: str) -> None:
    """Note the bucket's name of the upload in parts."""
    await _change_open(connection, upload_id, multipart_id=multipart_id)


async def touch(connection: AsyncConnection, upload_id: str) -> bool:
    """Note that the client goes on with an upload; returns whether it is open."""
    return await _change_open(connection, upload_id)


async def complete(
    connection: AsyncConnection, upload_id: str, *, sha256: str, input_key: str
) -> bool:
    """Note that all is here and where it lies; returns whether the upload was open until now."""
    return await _change_open(
        connection,
        upload_id,
        state=UploadState.COMPLETE,
        sha256=sha256,
        input_key=input_key,
        completed_at=func.now(),
    )


async def remove(connection: AsyncConnection, upload_id: str) -> Upload | None:
    """Remove an open upload, and return it; one that is not there is no error."""
    rows = delete(tables.uploads).where(_open_one(upload_id)).returning(*selected())
    row = (await connection.execute(rows)).one_or_none()
    return None if row is None else upload_of(row)


async def expired(connection: AsyncConnection, older_than: timedelta) -> Sequence[Upload]:
    """Open uploads for which nothing came for so long."""
    query = select_uploads().where(_is_expired(older_than)).order_by(_COLUMNS.touched_at)
    return [upload_of(row) for row in await connection.execute(query)]


async def take_expired(
    connection: AsyncConnection, older_than: timedelta, only: Collection[str]
) -> Sequence[Upload]:
    """Remove open uploads for which nothing came for so long, and return them.

    Args:
        connection: The transaction.
        older_than: How long nothing came.
        only: Ids of those that may be removed.
    """
    which = and_(_is_expired(older_than), _COLUMNS.id.in_(only))
    rows = delete(tables.uploads).where(which).returning(*selected())
    return [upload_of(row) for row in await connection.execute(rows)]


async def all_open(connection: AsyncConnection) -> Sequence[Upload]:
    """Everybody's open uploads."""
    query = select_uploads().where(_COLUMNS.state == UploadState.RECEIVING)
    return [upload_of(row) for row in await connection.execute(query)]


async def _one_at_a_time(connection: AsyncConnection, owner: str) -> None:
    """Wait until no other transaction begins an upload of this caller."""
    lock = func.hashtextextended(f"stemset uploads {owner}", 0)
    await connection.execute(select(func.pg_advisory_xact_lock(lock)))


async def _same(connection: AsyncConnection, wanted: Wanted) -> Upload | None:
    said = {name: getattr(wanted, name) for name in ("mark", "sha256")}
    known = [_COLUMNS[name] == value for name, value in said.items() if value is not None]
    if not known:
        return None
    query = select_uploads().where(
        _is_open(wanted.owner),
        or_(*known),
        *(or_(each, each.left.is_(None)) for each in known),
        *(_COLUMNS[name] == getattr(wanted, name) for name in _SAME),
    )
    row = (await connection.execute(query.order_by(_COLUMNS.created_at).limit(1))).one_or_none()
    return None if row is None else upload_of(row)


async def _insert(connection: AsyncConnection, wanted: Wanted, **more: object) -> Upload:
    values = {name: getattr(wanted, name) for name in Wanted.__slots__} | more
    row = insert(tables.uploads).values(**values).returning(*selected())
    return upload_of((await connection.execute(row)).one())


async def _change_open(connection: AsyncConnection, upload_id: str, **changes: object) -> bool:
    change = update(tables.uploads).where(_open_one(upload_id))
    done = await connection.execute(change.values(touched_at=func.now(), **changes))
    return done.rowcount == 1


def _is_expired(older_than: timedelta) -> ColumnElement[bool]:
    is_old = _COLUMNS.touched_at < func.now() - older_than
    return and_(_COLUMNS.state == UploadState.RECEIVING, is_old)


def _is_open(owner: str) -> ColumnElement[bool]:
    """Whether an upload is one that its owner can go on with."""
    goes_on = and_(_COLUMNS.state == UploadState.RECEIVING, _COLUMNS.method != Method.WHOLE)
    return and_(_COLUMNS.owner == owner, goes_on)


def _open_one(upload_id: str) -> ColumnElement[bool]:
    return and_(_COLUMNS.id == upload_id, _COLUMNS.state == UploadState.RECEIVING)
