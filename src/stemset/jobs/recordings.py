"""Recordings in the ledger: what was found of one is noted; a deleted one that comes again is back.

A recording is known by the SHA-256 of its bytes. It is *proven* when somebody of ours saw that what
lies under its key has this hash; until then it is what a client says.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy import Row, and_, case, func, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import RecordingNotFound
from stemset.jobs import events, tables

_COLUMNS = tables.recordings.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a recording that was found: uploaded, or adopted from the store.

    Attributes:
        sha256: Hash of its bytes.
        filename: Its file name.
        bytes: Its length.
        duration_s: Its duration, None if nobody looked.
        rate_hz: Its sample rate.
        channels: Number of its channels.
        input_key: Where it lies in the store, None if it does not.
        is_proven: Whether somebody of ours saw that what lies there has this hash.
        owner: Who brought it.
    """

    sha256: str
    filename: str
    bytes: int
    duration_s: float | None = None
    rate_hz: int | None = None
    channels: int | None = None
    input_key: str | None
    is_proven: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as it stands; see ``Found`` and ``tables.recordings``."""

    sha256: str
    name: str
    filename: str
    bytes: int
    duration_s: float | None
    rate_hz: int | None
    channels: int | None
    input_key: str | None
    is_proven: bool
    owner: str
    created_at: datetime
    deleted_at: datetime | None


async def note(connection: AsyncConnection, found: Found) -> None:
    """Note a recording and tell of it, last in its transaction (see ``events.append``).

    One that is known keeps its name and owner. What was proven to lie under a key is not replaced
    by what is only said to.
    """
    new = insert(tables.recordings).values(
        name=PurePosixPath(found.filename).stem,
        **{name: getattr(found, name) for name in Found.__slots__},
    )
    said = new.excluded
    is_better = or_(said.is_proven, not_(_COLUMNS.is_proven), _COLUMNS.input_key.is_(None))
    takes = and_(said.input_key.is_not(None), is_better)
    upsert = new.on_conflict_do_update(
        index_elements=[_COLUMNS.sha256],
        set_={
            "filename": said.filename,
            "deleted_at": None,
            **{
                name: case((takes, said[name]), else_=_COLUMNS[name])
                for name in ("bytes", "input_key", "is_proven")
            },
            **{
                name: func.coalesce(said[name], _COLUMNS[name])
                for name in ("duration_s", "rate_hz", "channels")
            },
        },
    )
    await connection.execute(upsert)
    await events.append(connection, events.Kind.RECORDING, found.sha256)


async def find(connection: AsyncConnection, sha256: str) -> Recording | None:
    """Look a recording up, deleted or not."""
    row = (await connection.execute(_select().where(_COLUMNS.sha256 == sha256))).one_or_none()
    return None if row is None else _recording(row)


async def get(connection: AsyncConnection, sha256: str) -> Recording:
    """Look a recording up. Raises RecordingNotFound, also if it was deleted."""
    recording = await find(connection, sha256)
    if recording is None or recording.deleted_at is not None:
        raise RecordingNotFound(f"There is no recording {sha256}.")
    return recording


async def doubt(connection: AsyncConnection, sha256: str) -> None:
    """Note that what lies under a recording's key is not what it should be."""
    where = _COLUMNS.sha256 == sha256
    await connection.execute(update(tables.recordings).where(where).values(is_proven=False))


async def prove(connection: AsyncConnection, sha256: str, input_key: str) -> None:
    """Note that what lies under a key was seen to have the recording's hash."""
    same = and_(_COLUMNS.sha256 == sha256, _COLUMNS.input_key == input_key)
    await connection.execute(update(tables.recordings).where(same).values(is_proven=True))


def _select():  # noqa: ANN202 - SQLAlchemy's type of it names all twelve columns
    return select(*(_COLUMNS[name] for name in Recording.__slots__))


def _recording(row: Row) -> Recording:
    return Recording(*row)
