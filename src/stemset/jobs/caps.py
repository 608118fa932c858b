"""What a profile's orders may cost in a month: held, and told, before it is spent."""

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.cost import Rate, beyond_cap
from stemset.jobs import costs, pace, recordings
from stemset.jobs.job import Job
from stemset.jobs.pace import Work


async def over_cap(connection: AsyncConnection, job: Job, cap: float, rate: Rate) -> str | None:
    """Why a job is not to be begun this month, None if it may be.

    Args:
        connection: The transaction.
        job: The job.
        cap: What its profile's orders may cost in a calendar month.
        rate: What computing it costs.
    """
    spent = (await costs.amounts_of_month(connection, rate.currency)).get(job.profile, 0.0)
    expected = await estimate(connection, job, rate)
    why = beyond_cap(job.profile, cap, spent, expected, rate)
    return why and f"{why} It waits for the next month (UTC) or a higher limit."


async def estimate(connection: AsyncConnection, job: Job, rate: Rate) -> float:
    """What a job's computing will cost, as far as jobs of its kind tell; 0 if none does."""
    recording = await recordings.get(connection, job.sha256)
    factors = await pace.realtime_factors(connection)
    factor = factors.get(Work(job.strategy_name, job.queue), 0.0)
    return rate.of(factor * (recording.duration_s or 0.0))
