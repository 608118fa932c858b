"""Attempts that cost something; time passes by moving what was written further into the past."""

from typing import Any

from sqlalchemy import text

from stemset.dispatch.cost import Rate
from stemset.dispatch.course import Course
from stemset.jobs import attempts
from stemset.jobs.attempts import OpenAttempt, Outcome
from stemset.jobs.database import Database
from stemset.jobs.job import Job

RATE = Rate("gpu", hour=3.6, currency="USD", idle_s=300.0, source="a list", as_of="2026-02")


async def passes(database: Database, seconds: float) -> None:
    """Let time pass."""
    moments = ("began_at", "accepted_at", "touched_at", "ended_at")
    moved = ", ".join(f"{each} = {each} - interval '{seconds} s'" for each in moments)
    async with database.transaction() as connection:
        await connection.execute(text(f"UPDATE attempts SET {moved}"))  # noqa: S608 - literals


async def begun(database: Database, job: Job, rate: Rate | None = RATE) -> OpenAttempt:
    async with database.transaction() as connection:
        return await attempts.begin(
            connection, job.id, lambda number: f"{job.id}-{number}", job.queue, rate
        )


async def taken(database: Database, attempt: OpenAttempt) -> None:
    async with database.transaction() as connection:
        await attempts.touch(connection, attempt)


async def ended(
    database: Database, attempt: OpenAttempt, outcome: Outcome = Outcome.COMPLETE, **course: Any
) -> None:
    async with database.transaction() as connection:
        await attempts.end(connection, attempt, outcome, course=Course(**course))
