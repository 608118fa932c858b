"""Taking jobs into the ledger: each request once, its output's name for one recording alone.

What a job needs is held until the transaction ends: the recording, so that nobody deletes it, and
the output's name. A job's row, its entry in the queue and what tells of it are one commit, and of
requests for the same that come at once, one makes the job.
"""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import JobComplete, JobNotFound, JobOpen, NotUploaded, OutputNameTaken
from stemset.jobs import events, tables
from stemset.jobs.entries import defer
from stemset.jobs.events import Kind
from stemset.jobs.job import COLUMNS, NEW_COLUMNS, Job, Request, State, read
from stemset.telemetry import crash_point

_jobs = tables.jobs


async def accept(connection: AsyncConnection, request: Request) -> tuple[Job, bool]:
    """Take a job, or find the one that was taken when the same was asked before.

    Returns:
        The job, and whether it is new.

    Raises:
        NotUploaded: The recording was deleted, or its bytes went because of their age.
        OutputNameTaken: Another recording's output has this name.
    """
    if standing := await _current(connection, request):
        return standing, False
    return await _take(connection, request)


async def accept_first(
    connection: AsyncConnection, requests: Sequence[Request]
) -> tuple[Job, bool]:
    """Take a job under the first of some output names that no other recording has.

    Raises:
        NotUploaded: The recording was deleted.
        OutputNameTaken: None of them is free.
    """
    for request in requests[:-1]:
        with suppress(OutputNameTaken):
            return await accept(connection, request)
    return await accept(connection, requests[-1])


async def retry(
    connection: AsyncConnection, job_id: str, owner: str, request_id: str | None = None
) -> Job:
    """Take a new job for one that failed or was cancelled; the same one when asked again.

    Args:
        connection: The transaction.
        job_id: The one that ended.
        owner: Id of the caller.
        request_id: Names the call.

    Raises:
        JobNotFound: There is no such job.
        JobOpen: It has not ended.
        JobComplete: It is complete.
        NotUploaded: Its recording was deleted.
        OutputNameTaken: Its output's name was given to another recording since.
    """
    job = read(await _locked(connection, job_id))
    if not job.state.has_ended:
        raise JobOpen(f"Job {job_id} is {job.state}: it can be retried once it has ended.")
    if job.state is State.COMPLETE:
        raise JobComplete(f"Job {job_id} is complete.")
    retried = await connection.execute(select(*COLUMNS).where(_jobs.c.retry_of == job_id))
    if (row := retried.first()) is not None:
        return read(row)
    await connection.execute(update(_jobs).where(_jobs.c.id == job_id).values(is_current=False))
    anew = {"owner": owner, "request_id": request_id, "retry_of": job_id}
    taken, _ = await _take(connection, job, **anew)
    return taken


async def is_retried(connection: AsyncConnection, job_id: str) -> bool:
    """Whether a job was taken for one that had failed or was cancelled."""
    query = select(_jobs.c.id).where(_jobs.c.retry_of == job_id)
    return (await connection.execute(query)).first() is not None


async def _take(connection: AsyncConnection, request: Request, **anew: Any) -> tuple[Job, bool]:
    """Make a job, or find the one that the same request made at the same moment.

    Args:
        connection: The transaction.
        request: What is asked for.
        anew: Columns in which the job differs from the request.
    """
    values = {name: getattr(request, name) for name in Request.__dataclass_fields__}
    values |= {"input_key": await _reserve(connection, request), "state": State.QUEUED, **anew}
    row = insert(_jobs).values(id=uuid.uuid4().hex, **values)
    added = await connection.execute(row.on_conflict_do_nothing().returning(*NEW_COLUMNS))
    if (new := added.one_or_none()) is None:
        standing = await _current(connection, request)
        assert standing is not None  # noqa: S101 - it stood in the way
        return standing, False
    job = read(new)
    crash_point("api:accepted")
    await defer(connection, job.id, job.queue)
    await events.append(connection, Kind.JOB, job.id)
    return job, True


async def _locked(connection: AsyncConnection, job_id: str) -> Row[Any]:
    query = select(*COLUMNS).where(_jobs.c.id == job_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    return row


async def _current(connection: AsyncConnection, request: Request) -> Job | None:
    each = _jobs.c
    query = select(*COLUMNS).where(
        each.is_current,
        each.profile == request.profile,
        each.output_name == request.output_name,
        each.sha256 == request.sha256,
        each.fingerprint == request.fingerprint,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else read(row)


async def _reserve(connection: AsyncConnection, request: Request) -> str:
    """Have the output's name for this recording; both stay until the transaction ends.

    Returns:
        Where the recording lies.

    Raises:
        NotUploaded: The recording was deleted.
        OutputNameTaken: Another recording's output has this name.
    """
    input_key = await _hold_recording(connection, request.sha256)
    row = insert(tables.outputs).values(
        id=uuid.uuid4().hex,
        profile=request.profile,
        output_name=request.output_name,
        sha256=request.sha256,
        state="reserved",
    )
    each = tables.outputs.c
    # The update changes nothing: it waits for a deletion that is under way, and holds up others.
    held = row.on_conflict_do_update(
        index_elements=[each.profile, each.output_name], set_={"state": each.state}
    )
    if (await connection.execute(held.returning(each.sha256))).scalar_one() != request.sha256:
        raise OutputNameTaken(
            f"{request.output_name!r} in profile {request.profile!r} is the output of another "
            "recording. Choose another output_name, or leave it out."
        )
    return input_key


async def _hold_recording(connection: AsyncConnection, sha256: str) -> str:
    """Keep a recording where it lies until the transaction ends. Raises NotUploaded."""
    each = tables.recordings.c
    query = select(each.input_key).where(each.sha256 == sha256, each.deleted_at.is_(None))
    held = await connection.execute(query.with_for_update(read=True, key_share=True))
    input_key = held.scalar_one_or_none()
    if input_key is None:
        raise NotUploaded(f"The recording {sha256} is not here any more; upload it again.")
    return input_key
