"""Outputs in the ledger: which stems stand, found by profile and name, and what one consists of."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import OutputNotFound
from stemset.jobs import cursors, tables
from stemset.jobs.cursors import Cursor
from stemset.storage.keys import AttemptFolder

_outputs = tables.outputs.c
_recordings = tables.recordings.c
_jobs = tables.jobs.c

WHOLE = "whole"
ORDER = "completed-desc"


@dataclass(frozen=True, slots=True)
class Output:
    """An output, as lists show it.

    Attributes:
        id: Its id.
        profile: Name of the profile.
        output_name: Its own name.
        sha256: The recording.
        recording_name: What people call the recording.
        job_id: The job that made it, None if it was adopted.
        stems: Names of its stems.
        format: Their format.
        bytes: Length of all its files together.
        created_at: When its name was taken.
        completed_at: When its stems came to stand.
    """

    id: str
    profile: str
    output_name: str
    sha256: str
    recording_name: str
    job_id: str | None
    stems: tuple[str, ...]
    format: str | None
    bytes: int
    created_at: datetime
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Contents:
    """What an output consists of.

    Attributes:
        output: The output.
        metadata: Its metadata; the names of files in it are relative to ``folder``.
        folder: Where its files lie.
    """

    output: Output
    metadata: Mapping[str, Any]
    folder: AttemptFolder

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Each file's name, ``bytes`` and ``sha256``."""
        return self.metadata["files"]

    def length(self, file: str) -> int:
        """A file's length. Raises OutputNotFound if there is no such file."""
        if file not in self.files:
            raise OutputNotFound(f"The output {self.output.id} has no file {file!r}.")
        return self.files[file]["bytes"]


async def page(
    connection: AsyncConnection,
    *,
    profiles: Collection[str] | None,
    search: str | None,
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[Output], str | None]:
    """Outputs, the newest first.

    Args:
        connection: Where to look.
        profiles: Only of these, None for all.
        search: Only those that have this in their name, or in that of their recording.
        cursor: Where the page before ended.
        limit: How many at most.

    Returns:
        The outputs, and the cursor of the next page, None on the last.

    Raises:
        InvalidCursor: The cursor is none of this list.
    """
    key = tuple_(_outputs.completed_at, _outputs.id)
    query = _standing().order_by(_outputs.completed_at.desc(), _outputs.id.desc())
    if profiles is not None:
        query = query.where(_outputs.profile.in_(profiles))
    if search:
        query = query.where(is_like(search, _outputs.output_name, _recordings.name))
    if cursor is not None:
        after = cursors.parse(cursor, ORDER, datetime)
        query = query.where(key < tuple_(literal(after.value), literal(after.id)))
    found = await _read(connection, query.limit(limit + 1))
    outputs = found[:limit]
    if len(found) <= limit:
        return outputs, None
    return outputs, str(Cursor(ORDER, outputs[-1].completed_at, outputs[-1].id))


async def of_recordings(
    connection: AsyncConnection, sha256s: Collection[str], profiles: Collection[str] | None
) -> Sequence[Output]:
    """All outputs of some recordings, the newest first, only of some profiles unless None."""
    query = _standing().where(_outputs.sha256.in_(sha256s))
    if profiles is not None:
        query = query.where(_outputs.profile.in_(profiles))
    return await _read(connection, query)


async def get(
    connection: AsyncConnection, output_id: str, profiles: Collection[str] | None
) -> Contents:
    """Look an output up. Raises OutputNotFound, also if it is of no such profile."""
    (found,) = await _read(connection, _standing().where(_outputs.id == output_id)) or (None,)
    if found is None or (profiles is not None and found.profile not in profiles):
        raise OutputNotFound(f"There is no output {output_id!r}.")
    winner = func.coalesce(_outputs.metadata["attempt"].astext, _jobs.attempt)
    query = (
        select(_outputs.metadata, winner)
        .select_from(tables.outputs.outerjoin(tables.jobs, _outputs.job_id == _jobs.id))
        .where(_outputs.id == output_id)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:  # deleted in between
        raise OutputNotFound(f"There is no output {output_id!r}.")
    metadata, attempt = row
    return Contents(found, metadata, AttemptFolder(found.profile, found.output_name, attempt))


def stored_bytes() -> ColumnElement[int]:
    """Length of all files of an output together, as a column of a query of outputs.

    10,000 outputs of 12 files, with 6 kB of metadata each, take 0.09 s.
    """
    wanted = cast(literal("$.files.keyvalue().value.bytes"), JSONPATH)
    # Silent, see ``_path``.
    length = func.jsonb_path_query(_outputs.metadata, wanted, text("'{}'"), true())
    each = cast(length.column_valued("length"), BigInteger)
    total = cast(func.coalesce(func.sum(each), 0), BigInteger)
    return select(total).correlate(tables.outputs).scalar_subquery()


def is_like(search: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a text is somewhere in one of some columns, whatever the case of its letters."""
    return or_(*(each.icontains(search, autoescape=True) for each in columns))


def _standing() -> Select[tuple[str]]:
    query = select(_outputs.id).join(tables.recordings, _outputs.sha256 == _recordings.sha256)
    return query.where(_outputs.state == WHOLE)


async def _read(connection: AsyncConnection, wanted: Select[tuple[str]]) -> list[Output]:
    """Read what lists show; only of those that are wanted is the metadata unpacked."""
    chosen = wanted.subquery()
    stems = _path("$.stems.keyvalue().key")
    lengths = _path("$.files.keyvalue().value.bytes")
    query = (
        select(
            *(_outputs[name] for name in ("id", "profile", "output_name", "sha256", "job_id")),
            _recordings.name.label("recording_name"),
            stems.label("stems"),
            lengths.label("lengths"),
            _outputs.metadata["encoding"]["format"].astext.label("format"),
            _outputs.created_at,
            _outputs.completed_at,
        )
        .join(chosen, _outputs.id == chosen.c.id)
        .join(tables.recordings, _outputs.sha256 == _recordings.sha256)
        .order_by(_outputs.completed_at.desc(), _outputs.id.desc())
    )
    return [_output(row) for row in await connection.execute(query)]


def _path(path: str) -> ColumnElement[list[Any]]:
    # Silent: metadata that a stranger wrote may have something else there.
    wanted = cast(literal(path), JSONPATH)
    return func.jsonb_path_query_array(_outputs.metadata, wanted, text("'{}'"), true())


def _output(row: Row[*tuple[Any, ...]]) -> Output:
    facts = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's columns
    lengths = facts.pop("lengths")
    facts["stems"] = tuple(facts["stems"])
    return Output(**facts, bytes=sum(lengths))
