"""Events: what changed, numbered in the order of commits.

An event says only which job, recording or output changed; how it is now stands in its own table.
Numbers come from a sequence, which alone would let a later number be committed, and read, before an
earlier one: so whoever appends holds a lock from there to its commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables

CHANNEL = "stemset_events"
"""Notified at each commit that appends: the payload is ``<event id> <kind> <subject>``, or
``- job <job id>`` for progress, which is no event and is not kept."""

_LOCK = 0x57E4_5E70_0001


class Kind(StrEnum):
    """What changed."""

    JOB = "job"
    RECORDING = "recording"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Event:
    """One change.

    Attributes:
        id: Its number.
        kind: What changed.
        subject: The job's, recording's or output's id.
    """

    id: int
    kind: Kind
    subject: str


async def append(connection: AsyncConnection, kind: Kind, subject: str) -> None:
    """Note a change, last in its transaction: from here to the commit others wait."""
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    row = insert(tables.events).values(kind=kind, subject=subject).returning(tables.events.c.id)
    number = (await connection.execute(row)).scalar_one()
    await _notify(connection, f"{number} {kind} {subject}")


async def notify_progress(connection: AsyncConnection, job_id: str) -> None:
    """Tell listeners that a job got further."""
    await _notify(connection, f"- {Kind.JOB} {job_id}")


async def since(connection: AsyncConnection, after: int, limit: int) -> Sequence[Event]:
    """Events after a number, the oldest first."""
    each = tables.events.c
    query = select(each.id, each.kind, each.subject).where(each.id > after)
    rows = await connection.execute(query.order_by(each.id).limit(limit))
    return [Event(row.id, Kind(row.kind), row.subject) for row in rows]


async def newest(connection: AsyncConnection) -> int:
    """The newest event's number, 0 if there is none."""
    query = select(func.coalesce(func.max(tables.events.c.id), 0))
    return cast("int", (await connection.execute(query)).scalar_one())


async def forget(connection: AsyncConnection, older_than: timedelta) -> None:
    """Remove events that nobody resumes from any more; the newest one always stays."""
    each = tables.events.c
    newest_one = select(func.max(each.id)).scalar_subquery()
    old = each.at < func.now() - older_than
    await connection.execute(delete(tables.events).where(old, each.id < newest_one))


async def _notify(connection: AsyncConnection, payload: str) -> None:
    await connection.execute(select(func.pg_notify(CHANNEL, payload)))
