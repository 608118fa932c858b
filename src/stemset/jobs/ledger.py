"""The ledger of jobs: every way in which an open job's row changes.

```text
  accept, retry ──▶ queued ⇄ waking, processing ──▶ complete
                                    │
                                    ├──▶ error
                                    └──▶ cancelled
```

A row that has ended never changes: each change is one statement that holds only while ``ended_at``
is null, so of a cancel, a failure and a completion that race exactly one wins. How a job comes in,
the first time and again, is ``accepting``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import JobComplete, JobNotFound
from stemset.jobs import events, tables
from stemset.jobs.events import Kind
from stemset.jobs.job import COLUMNS, Job, State, read
from stemset.orders.messages import Failure

_jobs = tables.jobs
# An array is one value: with a list of values the server would see another statement each time.
_BY_IDS = select(*COLUMNS).where(_jobs.c.id == any_(bindparam("job_ids", type_=ARRAY(Text))))


async def get(connection: AsyncConnection, job_id: str) -> Job:
    """Look a job up. Raises JobNotFound."""
    row = (await connection.execute(select(*COLUMNS).where(_jobs.c.id == job_id))).one_or_none()
    if row is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    return read(row)


async def get_all(connection: AsyncConnection, job_ids: Sequence[str]) -> Sequence[Job]:
    """Look jobs up; those that there are not are left out."""
    rows = await connection.execute(_BY_IDS, {"job_ids": list(job_ids)})
    return [read(row) for row in rows]


async def jobs_ahead(connection: AsyncConnection, jobs: Sequence[Job]) -> dict[str, int]:
    """How many jobs of its queue are before each of some queued ones, by the job's id."""
    each = _jobs.c
    if len(jobs) == 1:  # an index alone answers this
        (job,) = jobs
        before = each.ended_at.is_(None), each.queue == job.queue, each.created_at < job.created_at
        count = select(func.count()).select_from(_jobs).where(*before)
        return {job.id: (await connection.execute(count)).scalar_one()}
    place = func.rank().over(partition_by=each.queue, order_by=each.created_at) - 1
    open_ones = select(each.id, place.label("ahead")).where(each.ended_at.is_(None)).subquery()
    wanted = select(open_ones).where(open_ones.c.id.in_([job.id for job in jobs]))
    return dict((await connection.execute(wanted)).all())


async def cancel(connection: AsyncConnection, job_id: str) -> Job:
    """End a job at once, whoever is at it; whoever follows it hears of it.

    Returns:
        The job; one that had ended, but not completed, as it was.

    Raises:
        JobNotFound: There is no such job.
        JobComplete: It is complete.
    """
    change = _while_open(job_id).values(
        state=State.CANCELLED, ended_at=func.now(), phase=None, eta_s=None, held=None
    )
    if await _change(connection, job_id, change):
        return await get(connection, job_id)
    job = await get(connection, job_id)
    if job.state is State.COMPLETE:
        raise JobComplete(f"Job {job_id} is complete: delete its output instead.")
    return job


async def renew(connection: AsyncConnection, job_id: str, fingerprint: str) -> None:
    """Have a job make what this version makes of its strategy, whichever version accepted it.

    Args:
        connection: The transaction; it has locked the job, which is open.
        job_id: The job.
        fingerprint: What its output will be.
    """
    change = _while_open(job_id).values(fingerprint=fingerprint)
    try:
        async with connection.begin_nested():
            await connection.execute(change)
    except IntegrityError:  # meanwhile the same was asked of this version
        await connection.execute(change.values(is_current=False))


async def progress(
    connection: AsyncConnection,
    job_id: str,
    state: State,
    *,
    phase: str | None = None,
    done: float = 0.0,
    eta_s: float | None = None,
) -> bool:
    """Note how far a job is; progress never goes back.

    Returns:
        Whether the job is still open.
    """
    before = (await connection.execute(_open_state(job_id))).scalar_one_or_none()
    if before is None:
        return False
    change = _while_open(job_id).values(
        state=state,
        phase=phase,
        progress=func.greatest(_jobs.c.progress, done),
        eta_s=eta_s,
        held=None,
        started_at=func.coalesce(_jobs.c.started_at, func.now()),
    )
    await connection.execute(change)
    if before == state:
        await events.notify_progress(connection, job_id)
    else:
        await events.append(connection, Kind.JOB, job_id)
    return True


async def hold(connection: AsyncConnection, job_id: str, why: str) -> None:
    """Note why a job is not begun, for as long as it is not."""
    held = (_jobs.c.id == job_id, _jobs.c.ended_at.is_(None), _jobs.c.held.is_distinct_from(why))
    await _change(connection, job_id, update(_jobs).where(*held).values(held=why))


async def lock_open(connection: AsyncConnection, job_id: str) -> bool:
    """Lock a job's row until the transaction ends. Returns whether the job is open."""
    return (await connection.execute(_open_state(job_id))).scalar_one_or_none() is not None


async def complete(
    connection: AsyncConnection, job_id: str, folder: str, metadata: Mapping[str, Any]
) -> bool:
    """End a job with its stems: its row, its one usage row, and its output, in one commit.

    Args:
        connection: The transaction; what is published must be so before it is committed.
        job_id: The job.
        folder: Name of the attempt that won.
        metadata: The output's metadata.

    Returns:
        Whether it was open until now; otherwise nothing is changed.
    """
    change = _while_open(job_id).values(
        state=State.COMPLETE,
        stems=list(metadata["stems"]),
        attempt=folder,
        progress=1.0,
        phase=None,
        eta_s=None,
        held=None,
        ended_at=func.now(),
        started_at=func.coalesce(_jobs.c.started_at, func.now()),
    )
    row = (await connection.execute(change.returning(*COLUMNS))).one_or_none()
    if row is None:
        return False
    job = read(row)
    await _charge(connection, job, metadata)
    output_id = await _fill(connection, job, metadata)
    # Events come last, as everywhere: whoever holds their lock waits for no row.
    if output_id is not None:
        await events.append(connection, Kind.OUTPUT, output_id)
    await events.append(connection, Kind.JOB, job_id)
    await events.append(connection, Kind.RECORDING, job.sha256)
    return True


async def fail(connection: AsyncConnection, job_id: str, failure: Failure) -> bool:
    """End a job without stems. Returns whether it was open until now."""
    change = _while_open(job_id).values(
        state=State.ERROR,
        error=failure.model_dump(),
        phase=None,
        eta_s=None,
        held=None,
        ended_at=func.now(),
    )
    return await _change(connection, job_id, change)


def _while_open(job_id: str) -> Update:
    return update(_jobs).where(_jobs.c.id == job_id, _jobs.c.ended_at.is_(None))


def _open_state(job_id: str) -> Select[tuple[str]]:
    where = _jobs.c.id == job_id, _jobs.c.ended_at.is_(None)
    return select(_jobs.c.state).where(*where).with_for_update()


async def _change(connection: AsyncConnection, job_id: str, change: Update) -> bool:
    done = (await connection.execute(change.returning(_jobs.c.id))).one_or_none() is not None
    if done:
        await events.append(connection, Kind.JOB, job_id)
    return done


async def _charge(connection: AsyncConnection, job: Job, metadata: Mapping[str, Any]) -> None:
    each = tables.attempts.c
    count = select(func.count()).where(each.job_id == job.id).scalar_subquery()
    row = insert(tables.usage).values(
        job_id=job.id,
        owner=job.owner,
        profile=job.profile,
        audio_s=metadata["recording"].get("duration_s"),
        computing_s=metadata.get("timings", {}).get("wall_s", 0.0),
        attempts=count,
    )
    await connection.execute(row)


async def _fill(connection: AsyncConnection, job: Job, metadata: Mapping[str, Any]) -> str | None:
    """Note the stems in the output and the proof in the recording. Returns the output's id."""
    each = tables.outputs.c
    change = (
        update(tables.outputs)
        .where(each.profile == job.profile, each.output_name == job.output_name)
        .values(job_id=job.id, state="whole", metadata=metadata, completed_at=func.now())
        .returning(each.id)
    )
    output_id = (await connection.execute(change)).scalar_one_or_none()
    proven = {"is_proven": True, "duration_s": metadata["recording"].get("duration_s")}
    recordings = tables.recordings
    await connection.execute(
        update(recordings).where(recordings.c.sha256 == job.sha256).values(**proven)
    )
    return output_id
