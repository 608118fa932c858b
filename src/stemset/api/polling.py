"""Jobs that are polled: however many do so, few statements answer them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from fastapi import Depends, Request

from stemset.api._gathered import Gathered
from stemset.api.job_views import JobStatus, job_statuses
from stemset.jobs.database import Database
from stemset.jobs.job import Job

Polled = Gathered[str, tuple[Job, JobStatus]]
"""Jobs, and how they stand, by their ids."""


def polled_jobs(database: Database) -> Polled:
    """Jobs as a ledger has them."""

    async def look(job_ids: Sequence[str]) -> Mapping[str, tuple[Job, JobStatus]]:
        async with database.reading() as connection:
            return await job_statuses(connection, job_ids)

    return Gathered(look)


async def polled_of(request: Request) -> Polled:
    """Those of the application that a request came to."""
    return cast("Polled", request.app.state.polled)


PolledOf = Annotated[Polled, Depends(polled_of)]
