"""Retention: outputs and inputs that are past the age of their profile, and their deletion.

An output's age counts from when it was made, or made anew; that of one that a command line made,
from when it was adopted. An input's counts from its last use: an upload of it, or a job's end. It
goes when it is past the age of every profile that has used it; the recording stays in the library
for as long as it has outputs, and can be uploaded again. What an age is not given for is kept.

Nothing that is in use goes: no output that an open job makes anew, or that the caller names; no
input that an open job needs, or that is being uploaded. Whether something is past its age is looked
at once more when its rows are locked. Then it is gone from the library, while its objects stay for
another day (``GRACE``): whoever plays, downloads or exports it at that moment comes to an end, and
so does a command line that works past the ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import deletion, tables
from stemset.jobs.database import Database
from stemset.jobs.findings import Finding, Reason
from stemset.jobs.outputs import WHOLE, stored_bytes
from stemset.jobs.uploads import UploadState
from stemset.storage.keys import output_prefix
from stemset.telemetry import crash_point

GRACE = timedelta(days=1)
"""Longer than the addresses of an output's files are valid (``api.media.links``), and as long as an
export is kept."""

_jobs = tables.jobs.c
_outputs = tables.outputs.c
_recordings = tables.recordings.c
_uploads = tables.uploads.c


class Ages(Protocol):
    """How long a profile's inputs and outputs are kept, None for ever."""

    @property
    def inputs(self) -> timedelta | None:
        """How long an input is kept after its last use."""
        ...

    @property
    def outputs(self) -> timedelta | None:
        """How long an output is kept after it was made."""
        ...


Rules = Mapping[str, Ages]
"""By the profile's name. What is of another profile is kept."""


async def old_outputs(
    connection: AsyncConnection, rules: Rules, *, only: str | None = None
) -> Sequence[Finding]:
    """Outputs that are past their age and that no open job makes anew, the oldest first.

    Args:
        connection: Where to look.
        rules: How long what is kept.
        only: No other than the output with this id.
    """
    ages = {name: each.outputs for name, each in rules.items() if each.outputs is not None}
    if not ages:
        return []
    is_old = (
        and_(_outputs.profile == name, _outputs.completed_at < func.now() - age)
        for name, age in ages.items()
    )
    made_anew = select(_jobs.id).where(
        _jobs.profile == _outputs.profile,
        _jobs.output_name == _outputs.output_name,
        _jobs.ended_at.is_(None),
    )
    query = (
        select(
            _outputs.id,
            _outputs.profile,
            _outputs.output_name,
            stored_bytes().label("bytes"),
            _outputs.completed_at,
        )
        .where(_outputs.state == WHOLE, or_(*is_old), ~made_anew.exists())
        .order_by(_outputs.completed_at, _outputs.id)
    )
    if only is not None:
        query = query.where(_outputs.id == only)
    return [
        Finding(
            Reason.OUTPUT_AGE,
            row.id,
            row.profile,
            output_prefix(row.profile, row.output_name),
            row.bytes,
            row.completed_at,
        )
        for row in await connection.execute(query)
    ]


async def old_inputs(
    connection: AsyncConnection, rules: Rules, *, only: str | None = None
) -> Sequence[Finding]:
    """Inputs that are past their age and that nobody needs, the one of the oldest use first.

    Args:
        connection: Where to look.
        rules: How long what is kept.
        only: No other than the recording with this SHA-256.
    """
    ages = [each.inputs for each in rules.values() if each.inputs is not None]
    if not ages:
        return []
    used_at = _used_at()
    needed = select(_jobs.id).where(_jobs.sha256 == _recordings.sha256, _jobs.ended_at.is_(None))
    on_its_way = select(_uploads.id).where(
        _uploads.state == UploadState.RECEIVING,
        or_(_uploads.sha256 == _recordings.sha256, _uploads.input_key == _recordings.input_key),
    )
    query = (
        select(
            _recordings.sha256,
            _recordings.input_key,
            _recordings.bytes,
            used_at.label("used_at"),
            (func.now() - used_at).label("age"),
            _profiles().label("profiles"),
        )
        .where(
            _recordings.deleted_at.is_(None),
            _recordings.input_key.is_not(None),
            used_at < func.now() - min(ages),
            ~needed.exists(),
            ~on_its_way.exists(),
        )
        .order_by(used_at, _recordings.sha256)
    )
    if only is not None:
        query = query.where(_recordings.sha256 == only)
    rows = await connection.execute(query)
    return [_input(row) for row in rows if _is_past(row, rules)]


async def expire(
    database: Database, rules: Rules, found: Finding, *, kept: Collection[str] = ()
) -> bool:
    """Delete an output or an input, if it is still past its age and nobody needs it.

    Args:
        database: The ledger.
        rules: How long what is kept.
        found: What ``old_outputs`` or ``old_inputs`` gave.
        kept: Ids of outputs that are in use.

    Returns:
        Whether it was deleted now.

    Raises:
        DatabaseError: Nothing is changed.
    """
    if found.id in kept:
        return False
    async with database.transaction() as connection:
        if found.reason is Reason.OUTPUT_AGE:
            await deletion.lock_output(connection, found.id)
            still = await old_outputs(connection, rules, only=found.id)
        else:
            await deletion.lock_recording(connection, found.id)
            still = await old_inputs(connection, rules, only=found.id)
        if not still:
            return False
        if found.reason is Reason.OUTPUT_AGE:
            await deletion.expire_output(connection, found.id, GRACE)
        else:
            await deletion.expire_input(connection, found.id, GRACE)
        crash_point("retention:deleting")
    crash_point("retention:deleted")
    found.tell_removed()
    return True


def _used_at() -> ColumnElement[datetime]:
    """When a recording was last used."""
    its_upload = _uploads.sha256 == _recordings.sha256
    its_job = _jobs.sha256 == _recordings.sha256
    return func.greatest(
        _recordings.created_at,
        select(func.max(_uploads.completed_at)).where(its_upload).scalar_subquery(),
        select(func.max(_jobs.created_at)).where(its_job).scalar_subquery(),
        select(func.max(_jobs.ended_at)).where(its_job).scalar_subquery(),
    )


def _profiles() -> ColumnElement[list[str]]:
    """Profiles that have used a recording, beside the one under which it lies."""
    places = (tables.outputs, tables.jobs, tables.uploads)
    each = union_all(
        *(
            select(place.c.profile)
            .where(place.c.sha256 == _recordings.sha256)
            .correlate(tables.recordings)
            for place in places
        )
    ).subquery()
    return select(func.array_agg(each.c.profile.distinct())).scalar_subquery()


def _is_past(row: Row, rules: Rules) -> bool:
    """Whether an input is past the age of every profile that has used it."""
    ages = [
        rules[name].inputs if name in rules else None
        for name in {_profile_of(row.input_key), *(row.profiles or ())}
    ]
    return all(age is not None and row.age > age for age in ages)


def _input(row: Row) -> Finding:
    return Finding(
        Reason.INPUT_AGE,
        row.sha256,
        _profile_of(row.input_key),
        row.input_key,
        row.bytes,
        row.used_at,
    )


def _profile_of(input_key: str) -> str:
    return input_key.split("/")[1]
