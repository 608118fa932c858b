"""How long things take, as the newest jobs show: work, and waking the worker."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Subquery, extract, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables
from stemset.jobs.job import Queue, State

NEWEST = 20
"""How many of one kind are looked at: what is older was another machine, or another model."""

AMONG = 2000
"""Among so many of all jobs, so that the answer costs the same however many there are."""

AWAKE_WITHIN_S = 2.0
"""A worker that takes an order within this time was not asleep."""

_usage, _attempts = tables.usage.c, tables.attempts.c


@dataclass(frozen=True, slots=True)
class Work:
    """Jobs that go at one pace.

    Attributes:
        strategy_name: What is computed.
        queue: Who computes.
    """

    strategy_name: str
    queue: Queue


async def realtime_factors(connection: AsyncConnection) -> Mapping[Work, float]:
    """Seconds of work per second of audio: the median of the newest complete jobs of each kind."""
    job = _newest_jobs()
    kind = job.c.strategy_name, job.c.queue
    newest_first = job.c.created_at.desc(), job.c.id.desc()
    done = (
        select(
            *kind,
            (_usage.computing_s / _usage.audio_s).label("factor"),
            func.row_number().over(partition_by=kind, order_by=newest_first).label("place"),
        )
        .join_from(job, tables.usage, _usage.job_id == job.c.id)
        .where(job.c.state == State.COMPLETE, _usage.audio_s > 0)
        .subquery()
    )
    each = done.c
    median = func.percentile_cont(0.5).within_group(each.factor).label("median")
    query = (
        select(each.strategy_name, each.queue, median)
        .where(each.place <= NEWEST)
        .group_by(each.strategy_name, each.queue)
    )
    rows = await connection.execute(query)
    return {Work(row.strategy_name, Queue(row.queue)): row.median for row in rows}


async def waking_s(connection: AsyncConnection) -> float | None:
    """How long the worker takes to wake: the median of its newest starts, None without any."""
    job = _newest_jobs()
    took_s = extract("epoch", _attempts.accepted_at - _attempts.began_at)
    starts = (
        select(took_s.label("took_s"))
        .join_from(job, tables.attempts, _attempts.job_id == job.c.id)
        .where(job.c.queue == Queue.WORKER, took_s > AWAKE_WITHIN_S)
        .order_by(_attempts.began_at.desc())
        .limit(NEWEST)
        .subquery()
    )
    median = func.percentile_cont(0.5).within_group(starts.c.took_s)
    return (await connection.execute(select(median))).scalar_one()


def _newest_jobs() -> Subquery:
    each = tables.jobs.c
    columns = each.id, each.strategy_name, each.queue, each.state, each.created_at
    return select(*columns).order_by(each.created_at.desc(), each.id.desc()).limit(AMONG).subquery()
