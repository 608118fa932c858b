"""Jobs as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.cost_views import CostAnswer
from stemset.dispatch.cost import Cost
from stemset.jobs import costs, ledger
from stemset.jobs.job import Job, Queue, State


class CoarseStatus(StrEnum):
    """What a page that polls looks at; it ends on the last two."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"


_COARSE = {
    State.QUEUED: CoarseStatus.QUEUED,
    State.WAKING: CoarseStatus.PROCESSING,
    State.PROCESSING: CoarseStatus.PROCESSING,
    State.COMPLETE: CoarseStatus.COMPLETE,
    State.ERROR: CoarseStatus.ERROR,
    State.CANCELLED: CoarseStatus.ERROR,
}


class JobStatus(BaseModel):
    """How a job stands.

    Attributes:
        job_id: The job.
        status: ``queued``, ``processing``, ``complete`` or ``error``; a cancelled one says
            ``error``.
        state: The same, finer.
        stems: Names of the stems once the job is complete.
        error: Why it failed, for people.
        error_code: Why it failed, for programs.
        progress: 0–1 over the whole job.
        phase: What is being done.
        eta_s: Seconds left, once that is known.
        queue_position: How many jobs are before it in the queue, while it is queued.
        output_id: The output, once the job is complete.
        held: Why it is not begun although its turn has come; null if nothing holds it.
        cost: What it cost so far, all attempts together; null where no price is configured.
    """

    job_id: str
    status: CoarseStatus
    state: State
    stems: list[str] | None
    error: str | None
    error_code: str | None
    progress: float
    phase: str | None
    eta_s: float | None
    queue_position: int | None
    output_id: str | None
    held: str | None
    cost: CostAnswer | None


class JobView(JobStatus):
    """A job.

    Attributes:
        profile_name: Name of the profile.
        output_name: Name of the output.
        filename: The recording's name as it was uploaded.
        recording_id: The recording.
        strategy_name: Name of the strategy.
        remote: Whether the worker does it.
        retry_of: The job that this one tries again.
        can_retry: Whether it can be retried.
        created_at: When it was accepted.
        started_at: When work began.
        ended_at: When it ended.
    """

    profile_name: str
    output_name: str
    filename: str
    recording_id: str
    strategy_name: str
    remote: bool
    retry_of: str | None
    can_retry: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


async def job_statuses(
    connection: AsyncConnection, job_ids: Sequence[str]
) -> dict[str, tuple[Job, JobStatus]]:
    """Jobs, and how they stand, by their ids; those that there are not are left out."""
    jobs = await ledger.get_all(connection, job_ids)
    statuses = await _statuses(connection, jobs)
    return {job.id: (job, status) for job, status in zip(jobs, statuses, strict=True)}


async def job_views(connection: AsyncConnection, jobs: Sequence[Job]) -> list[JobView]:
    """Jobs as they are shown, in the same order."""
    statuses = await _statuses(connection, jobs)
    return [_view(job, status) for job, status in zip(jobs, statuses, strict=True)]


async def _statuses(connection: AsyncConnection, jobs: Sequence[Job]) -> list[JobStatus]:
    ahead = await _ahead(connection, jobs)
    cost = await costs.of_jobs(connection, [job.id for job in jobs])
    return [_status(job, ahead.get(job.id), cost.get(job.id)) for job in jobs]


async def _ahead(connection: AsyncConnection, jobs: Sequence[Job]) -> dict[str, int]:
    """The queue positions of those that wait."""
    waiting = [job for job in jobs if job.state is State.QUEUED]
    return await ledger.jobs_ahead(connection, waiting) if waiting else {}


def _status(job: Job, ahead: int | None, cost: Cost | None) -> JobStatus:
    error, code = (None, None) if job.error is None else (job.error.detail, job.error.code)
    if job.state is State.CANCELLED:
        error, code = "The job was cancelled.", "cancelled"
    return JobStatus(
        job_id=job.id,
        status=_COARSE[job.state],
        state=job.state,
        stems=None if job.stems is None else list(job.stems),
        error=error,
        error_code=code,
        progress=job.progress,
        phase=job.phase,
        eta_s=job.eta_s,
        queue_position=ahead,
        output_id=job.output_id,
        held=job.held,
        cost=cost and CostAnswer.of(cost),
    )


def _view(job: Job, status: JobStatus) -> JobView:
    return JobView(
        **dict(status),
        profile_name=job.profile,
        output_name=job.output_name,
        filename=job.filename,
        recording_id=job.sha256,
        strategy_name=job.strategy_name,
        remote=job.queue is Queue.WORKER,
        retry_of=job.retry_of,
        can_retry=job.state in {State.ERROR, State.CANCELLED},
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
