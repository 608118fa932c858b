"""The library: recordings, each with its outputs and its newest job.

A caller who is limited to profiles sees the recordings that were uploaded for one of them, or have
a job or an output there.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import RecordingNotFound
from stemset.jobs import cursors, events, outputs, tables
from stemset.jobs.cursors import Cursor
from stemset.jobs.events import Kind
from stemset.jobs.job import COLUMNS, Job, read
from stemset.jobs.outputs import Output, is_like
from stemset.jobs.recordings import Recording

MAX_NAME_CHARACTERS = 200

_recordings = tables.recordings.c
_jobs = tables.jobs.c
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


class Sort(StrEnum):
    """What recordings are sorted by."""

    CREATED = "created"
    NAME = "name"
    DURATION = "duration"


class Direction(StrEnum):
    """Which end of a list comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording and what was made of it.

    Attributes:
        recording: The recording.
        outputs: Its outputs, the newest first.
        newest_job: Its newest job, None if there never was one.
    """

    recording: Recording
    outputs: Sequence[Output]
    newest_job: Job | None


async def page(
    connection: AsyncConnection,
    *,
    profiles: Collection[str] | None,
    search: str | None = None,
    sort: Sort = Sort.CREATED,
    direction: Direction = Direction.DESCENDING,
    cursor: str | None = None,
    limit: int,
) -> tuple[Sequence[Entry], str | None]:
    """Recordings.

    Args:
        connection: Where to look.
        profiles: Only what these show, None for all.
        search: Only those that have this in their name or their file's.
        sort: What they are sorted by; names without regard to case, unknown durations as 0 s.
        direction: Which end comes first.
        cursor: Where the page before ended.
        limit: How many at most.

    Returns:
        The recordings, and the cursor of the next page, None on the last.

    Raises:
        InvalidCursor: The cursor is none of a list that is sorted in this way.
    """
    key, kind = _key(sort)
    order = f"{sort}-{direction}"
    query = _found(_visible(profiles), search).add_columns(key.label("key"))
    if cursor is not None:
        query = query.where(_after(cursors.parse(cursor, order, kind), key, direction))
    query = query.order_by(*(_directed(each, direction) for each in (key, _recordings.sha256)))
    rows = (await connection.execute(query.limit(limit + 1))).all()
    found = [Recording(*row[:-1]) for row in rows[:limit]]
    entries = await _entries(connection, found, profiles)
    if len(rows) <= limit:
        return entries, None
    return entries, str(Cursor(order, rows[limit - 1].key, found[-1].sha256))


async def count(
    connection: AsyncConnection, *, profiles: Collection[str] | None, search: str | None = None
) -> int:
    """How many recordings there are on all pages of a list together."""
    query = _found(_visible(profiles), search).subquery()
    return (await connection.execute(select(func.count()).select_from(query))).scalar_one()


async def get(connection: AsyncConnection, sha256: str, profiles: Collection[str] | None) -> Entry:
    """Look a recording up. Raises RecordingNotFound, also if no such profile shows it."""
    row = (await connection.execute(_visible(profiles).where(_is(sha256)))).one_or_none()
    if row is None:
        raise RecordingNotFound(f"There is no recording {sha256}.")
    (entry,) = await _entries(connection, [Recording(*row)], profiles)
    return entry


def checked_name(name: str) -> str:
    """A name that people gave, in one form of Unicode and without blanks around it.

    Raises:
        ValueError: It is empty, too long or holds what cannot be printed.
    """
    plain = unicodedata.normalize("NFC", name).strip()
    if not 0 < len(plain) <= MAX_NAME_CHARACTERS:
        message = f"a name has 1 to {MAX_NAME_CHARACTERS} characters, not {len(plain)}"
        raise ValueError(message)
    if any(unicodedata.category(each) in _UNPRINTABLE for each in plain):
        message = "a name holds no control characters and no line breaks"
        raise ValueError(message)
    return plain


async def rename(
    connection: AsyncConnection, sha256: str, name: str, profiles: Collection[str] | None
) -> None:
    """Give a recording another name, and tell of it, last in its transaction.

    Args:
        connection: The transaction.
        sha256: The recording.
        name: A name as ``checked_name`` gives it.
        profiles: Only if one of these shows it, None for any.

    Raises:
        RecordingNotFound: There is none, or no such profile shows it.
    """
    seen = _visible(profiles).where(_is(sha256)).exists()
    change = update(tables.recordings).where(_is(sha256), seen).values(name=name)
    renamed = await connection.execute(change.returning(_recordings.sha256))
    if renamed.one_or_none() is None:
        raise RecordingNotFound(f"There is no recording {sha256}.")
    await events.append(connection, Kind.RECORDING, sha256)


def _key(sort: Sort) -> tuple[ColumnElement[Any], type[str | float | datetime]]:
    """What is sorted by, and what a cursor holds of it."""
    match sort:
        case Sort.CREATED:
            return _recordings.created_at, datetime
        case Sort.NAME:
            return func.lower(_recordings.name), str
        case Sort.DURATION:
            return func.coalesce(_recordings.duration_s, 0.0), float


def _after(cursor: Cursor, key: ColumnElement[Any], direction: Direction) -> ColumnElement[bool]:
    row, last = tuple_(key, _recordings.sha256), tuple_(literal(cursor.value), literal(cursor.id))
    return row < last if direction is Direction.DESCENDING else row > last


def _directed(column: ColumnElement[Any], direction: Direction) -> ColumnElement[Any]:
    return column.desc() if direction is Direction.DESCENDING else column.asc()


def _is(sha256: str) -> ColumnElement[bool]:
    return _recordings.sha256 == sha256


def _visible(profiles: Collection[str] | None) -> Select[*tuple[Any, ...]]:
    """The recordings that are there and that some profiles show, None for all."""
    query = select(*(_recordings[name] for name in Recording.__slots__))
    return query.where(_recordings.deleted_at.is_(None), *_shown(profiles))


def _found(query: Select[*tuple[Any, ...]], search: str | None) -> Select[*tuple[Any, ...]]:
    """Only those that have a text in their name or their file's."""
    if not search:
        return query
    return query.where(is_like(search, _recordings.name, _recordings.filename))


def _shown(profiles: Collection[str] | None) -> Sequence[ColumnElement[bool]]:
    if profiles is None:
        return ()
    if not profiles:
        return (false(),)
    places = (tables.outputs, tables.jobs, tables.uploads)
    return (
        or_(
            *(
                _recordings.sha256.in_(
                    select(each.c.sha256).where(
                        each.c.profile.in_(profiles), each.c.sha256.is_not(None)
                    )
                )
                for each in places
            )
        ),
    )


async def _entries(
    connection: AsyncConnection, found: Sequence[Recording], profiles: Collection[str] | None
) -> list[Entry]:
    """What was made of recordings, as far as some profiles show it."""
    sha256s = [each.sha256 for each in found]
    if not sha256s:
        return []
    made = await outputs.of_recordings(connection, sha256s, profiles)
    jobs = await _newest_jobs(connection, sha256s, profiles)
    return [
        Entry(
            recording=each,
            outputs=[output for output in made if output.sha256 == each.sha256],
            newest_job=jobs.get(each.sha256),
        )
        for each in found
    ]


async def _newest_jobs(
    connection: AsyncConnection, sha256s: Sequence[str], profiles: Collection[str] | None
) -> dict[str, Job]:
    query = select(*COLUMNS).where(_jobs.sha256.in_(sha256s))
    query = query.ext(distinct_on(_jobs.sha256))
    if profiles is not None:
        query = query.where(_jobs.profile.in_(profiles))
    query = query.order_by(_jobs.sha256, _jobs.created_at.desc(), _jobs.id.desc())
    jobs = [read(row) for row in await connection.execute(query)]
    return {job.sha256: job for job in jobs}
