"""Deletion in the ledger: rows are gone at once, open jobs are cancelled, objects are doomed.

What is to be removed from the store is written down in the same transaction, and worked off
afterwards by this process or any other (``removal``).

Rows are locked in the order in which a job that completes locks them: jobs, outputs, recordings.
A job that was accepted in between is found by looking once more.

What goes because of its age (``retention``) takes no job with it: the caller locks its rows, looks
whether an open job needs it, and deletes it if none does. Its objects stay a while.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import Forbidden, OutputNotFound, RecordingNotFound
from stemset.jobs import events, ledger, library, outputs, tables
from stemset.jobs.events import Kind
from stemset.storage.keys import AttemptFolder, metadata_key, output_prefix

_attempts = tables.attempts.c
_jobs = tables.jobs.c
_outputs = tables.outputs.c
_recordings = tables.recordings.c
_uploads = tables.uploads.c

_AT_ONCE = timedelta()


async def delete_output(
    connection: AsyncConnection, output_id: str, profiles: Collection[str] | None
) -> None:
    """Delete an output, and cancel jobs that would make it anew; last in its transaction.

    Args:
        connection: The transaction.
        output_id: The output.
        profiles: Only if it is of one of these, None for any.

    Raises:
        OutputNotFound: There is none.
    """
    found = (await outputs.get(connection, output_id, profiles)).output
    is_its = (_jobs.profile == found.profile, _jobs.output_name == found.output_name)
    await _lock_jobs(connection, and_(*is_its))
    gone = await _delete_outputs(connection, _outputs.id == output_id)
    if not gone:
        raise OutputNotFound(f"There is no output {output_id!r}.")
    await _end_jobs(connection, *is_its)
    await _tell_of(connection, gone)
    await events.append(connection, Kind.RECORDING, found.sha256)


async def delete_recording(
    connection: AsyncConnection, sha256: str, profiles: Collection[str] | None
) -> None:
    """Delete a recording, its outputs, and what its jobs left; last in its transaction.

    Its jobs stay in the ledger, ended.

    Args:
        connection: The transaction.
        sha256: The recording.
        profiles: Those that the caller may see, None for all.

    Raises:
        RecordingNotFound: There is none, or none that these profiles show.
        Forbidden: Other profiles have it as well.
    """
    await library.get(connection, sha256, profiles)
    await _lock_jobs(connection, _jobs.sha256 == sha256)
    await _lock_recording(connection, sha256)
    await _check_no_other(connection, sha256, profiles)
    gone = await _delete_outputs(connection, _outputs.sha256 == sha256)
    await _doom(connection, sha256, await _delete_places(connection, sha256))
    await _end_jobs(connection, _jobs.sha256 == sha256)
    await _tell_of(connection, gone)
    await events.append(connection, Kind.RECORDING, sha256)


async def lock_output(connection: AsyncConnection, output_id: str) -> None:
    """Let nobody ask for an output anew, or delete it, until the transaction ends."""
    query = select(_outputs.profile, _outputs.output_name, _outputs.sha256)
    query = query.where(_outputs.id == output_id)
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        return
    its_name = and_(_jobs.profile == found.profile, _jobs.output_name == found.output_name)
    await lock_recording(connection, found.sha256, its_name)
    await connection.execute(query.with_for_update())


async def lock_recording(
    connection: AsyncConnection, sha256: str, *more_jobs: ColumnElement[bool]
) -> None:
    """Let nobody make a job of a recording, or delete it, until the transaction ends.

    Args:
        connection: The transaction.
        sha256: The recording.
        more_jobs: Which jobs are not to change either.
    """
    await _lock_jobs(connection, or_(_jobs.sha256 == sha256, *more_jobs))
    query = select(_recordings.sha256).where(_recordings.sha256 == sha256)
    await connection.execute(query.with_for_update())


async def expire_output(connection: AsyncConnection, output_id: str, grace: timedelta) -> None:
    """Delete an output that was locked and that no open job makes; last in its transaction.

    Its recording goes with the last of what there is of it.

    Args:
        connection: The transaction.
        output_id: The output.
        grace: How long its objects stay.
    """
    gone = await _delete_outputs(connection, _outputs.id == output_id, grace)
    for row in gone:
        is_its = (_jobs.profile == row.profile, _jobs.output_name == row.output_name)
        change = update(tables.jobs).where(_jobs.is_current, *is_its)
        await connection.execute(change.values(is_current=False))
        await _delete_empty(connection, row.sha256, grace)
    await _tell_of(connection, gone)
    for row in gone:
        await events.append(connection, Kind.RECORDING, row.sha256)


async def expire_input(connection: AsyncConnection, sha256: str, grace: timedelta) -> None:
    """Delete a recording's bytes; it was locked, and nobody needs them. Last in its transaction.

    The recording itself stays for as long as it has outputs.

    Args:
        connection: The transaction.
        sha256: The recording.
        grace: How long its bytes stay.
    """
    await _doom(connection, sha256, await _places(connection, sha256), grace)
    change = update(tables.recordings).where(_recordings.sha256 == sha256)
    await connection.execute(change.values(input_key=None, is_proven=False))
    await _delete_empty(connection, sha256, grace)
    await events.append(connection, Kind.RECORDING, sha256)


async def doom_place(connection: AsyncConnection, sha256: str, input_key: str) -> None:
    """Have removed what an upload that came to nothing may have left of a recording.

    What is a recording's by then, or another upload's, stays (``removal``).

    Args:
        connection: The transaction that removes the upload.
        sha256: The recording.
        input_key: Where it was to lie.
    """
    await _doom(connection, sha256, [input_key])


async def _lock_jobs(connection: AsyncConnection, which: ColumnElement[bool]) -> None:
    """Lock all jobs that can change: open ones, and those that a new request would find."""
    can_change = or_(_jobs.ended_at.is_(None), _jobs.is_current)
    query = select(_jobs.id).where(can_change, which).order_by(_jobs.id)
    await connection.execute(query.with_for_update())


async def _delete_empty(connection: AsyncConnection, sha256: str, grace: timedelta) -> None:
    """Delete a recording of which neither its bytes nor outputs are there, nor on their way."""
    stands = select(_outputs.id).where(_outputs.sha256 == sha256, _outputs.state == outputs.WHOLE)
    is_open = select(_jobs.id).where(_jobs.sha256 == sha256, _jobs.ended_at.is_(None))
    comes = select(_uploads.id).where(_uploads.sha256 == sha256, _uploads.completed_at.is_(None))
    query = select(_recordings.sha256).where(
        _recordings.sha256 == sha256,
        _recordings.deleted_at.is_(None),
        _recordings.input_key.is_(None),
        ~or_(*(each.exists() for each in (stands, is_open, comes))),
    )
    if (await connection.execute(query.with_for_update())).one_or_none() is None:
        return
    await _delete_outputs(connection, _outputs.sha256 == sha256, grace)  # names that were reserved
    await _doom(connection, sha256, await _delete_places(connection, sha256), grace)
    its_jobs = update(tables.jobs).where(_jobs.sha256 == sha256, _jobs.is_current)
    await connection.execute(its_jobs.values(is_current=False))


async def _lock_open_jobs(
    connection: AsyncConnection, *which: ColumnElement[bool]
) -> Sequence[str]:
    query = select(_jobs.id).where(_jobs.ended_at.is_(None), *which).order_by(_jobs.id)
    return (await connection.execute(query.with_for_update())).scalars().all()


async def _lock_recording(connection: AsyncConnection, sha256: str) -> None:
    query = select(_recordings.sha256).where(
        _recordings.sha256 == sha256, _recordings.deleted_at.is_(None)
    )
    if (await connection.execute(query.with_for_update())).one_or_none() is None:
        raise RecordingNotFound(f"There is no recording {sha256}.")


async def _check_no_other(
    connection: AsyncConnection, sha256: str, profiles: Collection[str] | None
) -> None:
    """Raises Forbidden if a recording is of further profiles."""
    if profiles is None:
        return
    places = (tables.outputs, tables.jobs, tables.uploads)
    query = union(*(select(each.c.profile).where(each.c.sha256 == sha256) for each in places))
    if not set((await connection.execute(query)).scalars()) <= set(profiles):
        raise Forbidden("This recording is of other profiles as well, which you may not change.")


async def _delete_outputs(
    connection: AsyncConnection, which: ColumnElement[bool], grace: timedelta = _AT_ONCE
) -> Sequence[Row]:
    """Delete outputs' rows and doom all that lies below their names as far as it is known."""
    gone = await connection.execute(delete(tables.outputs).where(which).returning(tables.outputs))
    rows = gone.all()
    for row in rows:
        folders = await _folders(connection, row)
        keys = [f"{folder.prefix}/" for folder in folders]
        keys.append(metadata_key(row.profile, row.output_name))
        await _doom(connection, output_prefix(row.profile, row.output_name), keys, grace)
    return rows


async def _folders(connection: AsyncConnection, output: Row) -> list[AttemptFolder]:
    """Folders of the attempts at an output, whoever made them."""
    query = union(
        select(_attempts.folder)
        .join(tables.jobs, _attempts.job_id == _jobs.id)
        .where(_jobs.profile == output.profile, _jobs.output_name == output.output_name),
        select(_jobs.attempt).where(_jobs.id == output.job_id, _jobs.attempt.is_not(None)),
    )
    names = set((await connection.execute(query)).scalars())
    if output.metadata and "attempt" in output.metadata:
        names.add(output.metadata["attempt"])
    return [AttemptFolder(output.profile, output.output_name, name) for name in sorted(names)]


async def _delete_places(connection: AsyncConnection, sha256: str) -> Sequence[str]:
    """Delete a recording and its uploads. Returns the keys under which it may lie."""
    keys = await _places(connection, sha256)
    is_done = _uploads.completed_at.is_not(None)
    await connection.execute(delete(tables.uploads).where(_uploads.sha256 == sha256, is_done))
    change = update(tables.recordings).where(_recordings.sha256 == sha256)
    await connection.execute(change.values(deleted_at=func.now(), input_key=None, is_proven=False))
    return keys


async def _places(connection: AsyncConnection, sha256: str) -> Sequence[str]:
    """The keys under which a recording may lie."""
    places = (tables.recordings, tables.jobs, tables.uploads)
    query = union(*(select(each.c.input_key).where(each.c.sha256 == sha256) for each in places))
    keys = (await connection.execute(query)).scalars().all()
    return [key for key in keys if key is not None]


async def _doom(
    connection: AsyncConnection, subject: str, keys: Iterable[str], grace: timedelta = _AT_ONCE
) -> None:
    """Have keys removed after a while; what is doomed already goes no later than it would."""
    rows = [{"key": key, "subject": subject} for key in sorted(keys)]
    if not rows:
        return
    due_at = func.now() + grace
    added = insert(tables.doomed).values(created_at=due_at).on_conflict_do_nothing()
    await connection.execute(added, rows)
    each = tables.doomed.c
    later = update(tables.doomed).where(
        each.key.in_([row["key"] for row in rows]), each.created_at > due_at
    )
    await connection.execute(later.values(created_at=due_at))


async def _end_jobs(connection: AsyncConnection, *which: ColumnElement[bool]) -> None:
    """Cancel open jobs, and let a new request of the same make a new one."""
    open_jobs = await _lock_open_jobs(connection, *which)
    change = update(tables.jobs).where(_jobs.is_current, *which)
    await connection.execute(change.values(is_current=False))
    for job_id in open_jobs:
        await ledger.cancel(connection, job_id)


async def _tell_of(connection: AsyncConnection, gone: Sequence[Row]) -> None:
    for row in gone:
        await events.append(connection, Kind.OUTPUT, row.id)
