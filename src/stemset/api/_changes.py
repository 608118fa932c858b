"""How what changed now stands, as messages of the event stream, and who may see it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi.sse import format_sse_event
from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.job_views import job_views
from stemset.jobs import events, ledger, tables
from stemset.jobs.caller import Caller
from stemset.jobs.events import Event, Kind


@dataclass(frozen=True, slots=True)
class Change:
    """How a subject stands.

    Attributes:
        number: The event that told of it. For progress, which no event tells of, an event before
            it was read: how it stood after that event, or later.
        kind: What it is.
        subject: Its id.
        is_progress: Whether it is only that a job got further.
        profiles: Who sees one of these may see it; None for everybody.
        message: It as a message of the stream.
    """

    number: int
    kind: Kind
    subject: str
    is_progress: bool
    profiles: frozenset[str] | None
    message: bytes

    def is_for(self, caller: Caller) -> bool:
        """Whether a caller may see it."""
        everybody = self.profiles is None or caller.profiles is None
        return everybody or any(map(caller.sees, self.profiles or ()))


@dataclass(frozen=True, slots=True)
class _State:
    data: str
    profiles: frozenset[str] | None


async def read_changes(connection: AsyncConnection, changed: Sequence[Event]) -> list[Change]:
    """Read how subjects of events stand now.

    Args:
        connection: Where to look.
        changed: The events.

    Returns:
        A change for each event, in the same order.
    """
    ids = {kind: [event.subject for event in changed if event.kind is kind] for kind in Kind}
    states = {
        Kind.JOB: await _jobs(connection, ids[Kind.JOB]),
        Kind.RECORDING: await _recordings(connection, ids[Kind.RECORDING]),
        Kind.OUTPUT: await _outputs(connection, ids[Kind.OUTPUT]),
    }
    return [_change(event, states[event.kind].get(event.subject)) for event in changed]


async def read_progress(connection: AsyncConnection, job_ids: Sequence[str]) -> list[Change]:
    """Read how far jobs are."""
    number = await events.newest(connection)
    return [
        Change(
            number,
            Kind.JOB,
            job_id,
            is_progress=True,
            profiles=state.profiles,
            message=_message(Kind.JOB, state.data),
        )
        for job_id, state in (await _jobs(connection, job_ids)).items()
    ]


def _change(event: Event, state: _State | None) -> Change:
    """Put a change together; what stands nowhere any more was removed.

    Nobody knows who could see that, so everybody hears it: the id alone says nothing.
    """
    state = state or _State(_told(event.subject, is_deleted=True), None)
    return Change(
        event.id,
        event.kind,
        event.subject,
        is_progress=False,
        profiles=state.profiles,
        message=_message(event.kind, state.data, event.id),
    )


def _message(kind: Kind, data: str, number: int | None = None) -> bytes:
    return format_sse_event(event=kind, data_str=data, id=None if number is None else str(number))


async def _jobs(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, _State]:
    if not ids:
        return {}
    jobs = await ledger.get_all(connection, ids)
    views = await job_views(connection, jobs)
    return {
        view.job_id: _State(view.model_dump_json(), frozenset([view.profile_name]))
        for view in views
    }


async def _recordings(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, _State]:
    if not ids:
        return {}
    each = tables.recordings.c
    query = select(each.sha256, each.deleted_at).where(each.sha256.in_(ids))
    rows = (await connection.execute(query)).all()
    profiles = await _profiles(connection, ids)
    return {
        row.sha256: _State(
            _told(row.sha256, is_deleted=row.deleted_at is not None),
            frozenset(profiles.get(row.sha256, ())),
        )
        for row in rows
    }


async def _profiles(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[str, set[str]]:
    """The profiles that show recordings, as in the library."""
    places = [
        select(table.c.sha256, table.c.profile).where(table.c.sha256.in_(ids))
        for table in (tables.outputs, tables.jobs, tables.uploads)
    ]
    profiles: dict[str, set[str]] = {}
    for sha256, profile in await connection.execute(union(*places)):
        profiles.setdefault(sha256, set()).add(profile)
    return profiles


async def _outputs(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, _State]:
    if not ids:
        return {}
    each = tables.outputs.c
    rows = await connection.execute(select(each.id, each.profile).where(each.id.in_(ids)))
    return {
        row.id: _State(_told(row.id, is_deleted=False), frozenset([row.profile])) for row in rows
    }


def _told(subject: str, *, is_deleted: bool) -> str:
    return json.dumps({"id": subject, "deleted": True} if is_deleted else {"id": subject})
