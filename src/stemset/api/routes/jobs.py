"""Jobs: how they stand, cancelling, retrying."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from stemset.api.access import Reader, Writer
from stemset.api.auditing import ActorOf
from stemset.api.errors import errors
from stemset.api.job_views import JobStatus, JobView, job_views
from stemset.api.polling import PolledOf
from stemset.api.quotas import job_refusal
from stemset.api.service import ServiceOf
from stemset.errors import (
    Forbidden,
    InvalidCursor,
    JobComplete,
    JobNotFound,
    JobOpen,
    NotUploaded,
    OutputNameTaken,
    QuotaExceeded,
)
from stemset.jobs import accepting, audit, job_lists, ledger
from stemset.jobs.audit import Action
from stemset.jobs.caller import Caller
from stemset.jobs.job import Job, State
from stemset.telemetry import bound, get_logger

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
_log = get_logger("api")

JobId = Annotated[str, Path(min_length=1, max_length=64)]


class JobPage(BaseModel):
    """Jobs, the newest first.

    Attributes:
        jobs: Some of them.
        next_cursor: Gives the page after this one; null on the last.
    """

    jobs: list[JobView]
    next_cursor: str | None


@router.get("", operation_id="list_jobs", responses=errors(InvalidCursor, Forbidden))
async def list_jobs(
    service: ServiceOf,
    caller: Reader,
    *,
    state: Annotated[list[State] | None, Query(description="only these")] = None,
    profile: Annotated[str | None, Query(max_length=64)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """List jobs, the newest first, page by page."""
    if profile is not None:
        caller.check_profile(profile)
    seen = [profile] if profile is not None else caller.profiles
    async with service.database.reading() as connection:
        jobs, after = await job_lists.page(
            connection, profiles=seen, states=state, cursor=cursor, limit=limit
        )
        return JobPage(jobs=await job_views(connection, jobs), next_cursor=after)


@router.get(
    "/{job_id}",
    operation_id="get_job",
    responses=errors(JobNotFound, Forbidden),
)
async def get_job(service: ServiceOf, caller: Reader, job_id: JobId) -> JobView:
    """Look a job up."""
    async with service.database.reading() as connection:
        job = _visible(await ledger.get(connection, job_id), caller)
        (view,) = await job_views(connection, [job])
    return view


@router.get(
    "/{job_id}/status",
    operation_id="get_job_status",
    responses=errors(JobNotFound, Forbidden),
)
async def get_job_status(polled: PolledOf, caller: Reader, job_id: JobId) -> JobStatus:
    """How a job stands: poll until ``status`` is ``complete`` or ``error``."""
    found = await polled.get(job_id)
    if found is None:
        raise JobNotFound(f"There is no job {job_id!r}.")
    job, status = found
    _visible(job, caller)
    return status


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    responses=errors(JobNotFound, JobComplete, Forbidden),
)
async def cancel_job(service: ServiceOf, caller: Writer, actor: ActorOf, job_id: JobId) -> JobView:
    """End a job at once; one that has ended without stems stays as it is."""
    async with service.database.transaction() as connection:
        former = _visible(await ledger.get(connection, job_id), caller)
        job = await ledger.cancel(connection, job_id)
        if former.ended_at is None:
            await audit.note(
                connection, actor, Action.JOB_CANCELLED, job.output_name, job_id=job_id
            )
        (view,) = await job_views(connection, [job])
    return view


@router.post(
    "/{job_id}/retry",
    operation_id="retry_job",
    responses=errors(
        JobNotFound,
        JobOpen,
        JobComplete,
        NotUploaded,
        OutputNameTaken,
        QuotaExceeded,
        Forbidden,
    ),
)
async def retry_job(service: ServiceOf, caller: Writer, job_id: JobId) -> JobView:
    """Make a new job of one that failed or was cancelled; asked again, the same one."""
    async with service.database.transaction() as connection:
        failed = _visible(await ledger.get(connection, job_id), caller)
        refusal = await job_refusal(service, connection, failed.profile)
        if refusal is not None and not await accepting.is_retried(connection, job_id):
            raise refusal
        job = await accepting.retry(connection, job_id, caller.id, bound("request_id"))
        (view,) = await job_views(connection, [job])
    _log.info(f"Job {job.id} accepted", job_id=job.id, retry_of=job_id, profile=job.profile)
    return view


def _visible(job: Job, caller: Caller) -> Job:
    """The job, if the caller may know of it. Raises JobNotFound."""
    if not caller.sees(job.profile):
        raise JobNotFound(f"There is no job {job.id!r}.")
    return job
