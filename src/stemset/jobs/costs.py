"""What jobs cost, in the ledger.

An attempt's row holds the moments of its course, and the price that held when it began. What it
cost follows from them, and from those of others: there is one worker, so its time is a line, on
which attempts stand in the order in which they were taken.

```text
  asked ──start──▶ taken ──computing──▶ ends ──tail──▶ asked ──▶ taken ──▶ …
```

Where two overlap the later one counts from the end of the earlier one; a tail lasts for the idle
period, or until the next one is asked for. So each second counts once, however many orders one
wake serves, and in whatever order the ledger hears of it. What computes on machines of its own
(``local``) overlaps as it likes, and is paid for as often.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    case,
    extract,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.cost import Cost, Month, Rate
from stemset.jobs import tables
from stemset.jobs.job import Queue

_attempts = tables.attempts
_each = tables.attempts.c
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a profile's orders of a month cost.

    Attributes:
        profile: The profile.
        jobs: How many jobs had an order.
        cost: What they cost.
    """

    profile: str
    jobs: int
    cost: Cost


def by_queue(*, worker: Rate | None, local: Rate | None) -> Mapping[Queue, Rate]:
    """What computing costs, by who does it; who costs nothing is left out."""
    rates = {Queue.WORKER: worker, Queue.LOCAL: local}
    return {queue: rate for queue, rate in rates.items() if rate is not None}


def columns(rate: Rate) -> Mapping[str, object]:
    """What a new attempt's row holds of a price."""
    return {"price_hour": rate.hour, "currency": rate.currency, "idle_s": rate.idle_s}


async def of_jobs(connection: AsyncConnection, job_ids: Collection[str]) -> Mapping[str, Cost]:
    """What jobs cost so far, by their ids; those that cost nothing are left out."""
    rows = await connection.execute(_of_jobs(), {"job_ids": list(job_ids)})
    return {row.job_id: _cost(row) for row in rows}


async def of_month(connection: AsyncConnection, month: Month) -> list[Spent]:
    """What each profile's orders cost in a month: those that were given in it.

    A profile comes once for each currency in which they were priced.
    """
    job = tables.jobs.c
    wanted = and_(
        _each.price_hour.is_not(None),
        _each.began_at >= month.begin,
        _each.began_at < month.plus(1).begin,
    )
    course = _courses(wanted)
    jobs = func.count(func.distinct(job.id)).label("jobs")
    query = (
        select(job.profile, jobs, *_sums(course, course.c.tail_s))
        .join_from(_attempts, course, _is_of(course), isouter=True)
        .join(tables.jobs, _each.job_id == job.id)
        .where(wanted)
        .group_by(job.profile, _each.currency)
        .order_by(job.profile, _each.currency)
    )
    rows = await connection.execute(query)
    return [Spent(row.profile, row.jobs, _cost(row)) for row in rows]


async def amounts_of_month(connection: AsyncConnection, currency: str) -> Mapping[str, float]:
    """What orders of this month cost so far, by profile; those without any are left out."""
    month = await of_month(connection, Month.now())
    return {each.profile: each.cost.amount for each in month if each.cost.currency == currency}


async def until_now(connection: AsyncConnection) -> Mapping[tuple[str, str], Cost]:
    """What attempts that have ended cost, by profile and currency; of a tail, what has passed.

    It never goes down: what has not passed may still be cut.
    """
    wanted = and_(_each.price_hour.is_not(None), _each.ended_at.is_not(None))
    course = _courses(true())
    query = (
        select(tables.jobs.c.profile, *_sums(course, course.c.passed_tail_s))
        .join_from(_attempts, course, _is_of(course), isouter=True)
        .join(tables.jobs, _each.job_id == tables.jobs.c.id)
        .where(wanted)
        .group_by(tables.jobs.c.profile, _each.currency)
    )
    rows = await connection.execute(query)
    return {(row.profile, row.currency): _cost(row) for row in rows}


@cache
def _of_jobs() -> Select[Any]:
    """What jobs cost; put together once, since that takes longer than all else of a status."""
    wanted = and_(
        _each.job_id == any_(bindparam("job_ids", type_=ARRAY(Text))), _each.price_hour.is_not(None)
    )
    course = _courses(wanted)
    return (
        select(_each.job_id, *_sums(course, course.c.tail_s))
        .join_from(_attempts, course, _is_of(course), isouter=True)
        .where(wanted)
        .group_by(_each.job_id)
    )


def _courses(wanted: ColumnElement[bool]) -> Subquery:
    """The seconds of attempts: those that are wanted, and those that may touch them in time."""
    ends_at = func.coalesce(_each.ended_at, func.now())
    idle = func.make_interval(0, 0, 0, 0, 0, 0, func.coalesce(_each.idle_s, 0))
    since = select(func.min(_each.began_at)).where(wanted).scalar_subquery()
    until = select(func.max(ends_at + idle)).where(wanted).scalar_subquery()
    was_taken = _each.accepted_at.is_not(None)
    moments = (
        select(
            *(_each.job_id, _each.number, _each.began_at),
            (_each.runner == Queue.WORKER).label("is_worker"),
            case((was_taken, func.least(_each.accepted_at, ends_at))).label("taken_at"),
            case((was_taken, ends_at)).label("ends_at"),
            _each.ended_at.is_(None).label("is_open"),
            idle.label("idle"),
        )
        .where(
            or_(_each.ended_at.is_(None), and_(was_taken, _each.ended_at >= since)),
            _each.began_at <= until,
        )
        .subquery()
    )
    return _divided(_in_line(moments)).subquery()


def _in_line(moments: Subquery) -> Subquery:
    """Attempts with when they began to count, and from when on the worker was free after them."""
    each = moments.c
    before = func.max(each.ends_at).over(**_line(moments), rows=(None, -1))
    line = select(
        moments,
        func.greatest(each.began_at, before).label("asked_at"),
        func.greatest(each.taken_at, before).label("computing_at"),
        func.greatest(each.ends_at, before).label("free_at"),
    ).subquery()
    next_asked_at = func.lead(line.c.asked_at).over(**_line(line))
    return select(line, next_asked_at.label("next_asked_at")).subquery()


def _line(attempts: Subquery) -> dict[str, Any]:
    """The worker's attempts as they were taken, those that were not yet last; others each alone."""
    each = attempts.c
    own = case((each.is_worker, literal("")), else_=each.job_id)
    return {
        "partition_by": (own, case((each.is_worker, literal(0)), else_=each.number)),
        "order_by": (each.taken_at.nulls_last(), each.began_at, each.job_id, each.number),
    }


def _divided(line: Subquery) -> Any:
    each = line.c
    idles_until = func.least(each.free_at + each.idle, each.next_asked_at)
    started_s = case((each.is_worker, _seconds(each.asked_at, each.taken_at)), else_=literal(0.0))
    return select(
        *(each.job_id, each.number),
        started_s.label("start_s"),
        _seconds(each.computing_at, each.ends_at).label("computing_s"),
        case((each.is_open, literal(0.0)), else_=_seconds(each.free_at, idles_until)).label(
            "tail_s"
        ),
        _seconds(each.free_at, func.least(idles_until, func.now())).label("passed_tail_s"),
    )


def _seconds(since: ColumnElement[Any], until: ColumnElement[Any]) -> ColumnElement[Any]:
    """From one moment to another; 0 if it was before that, or either is not known."""
    return func.greatest(func.coalesce(extract("epoch", until - since), 0), 0)


def _is_of(course: Subquery) -> ColumnElement[bool]:
    return and_(_each.job_id == course.c.job_id, _each.number == course.c.number)


def _sums(course: Subquery, tail_s: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """All seconds of attempts and their price: none of those that no worker took."""
    start_s, computing_s = (func.coalesce(course.c[name], 0) for name in ("start_s", "computing_s"))
    tail_s = func.coalesce(tail_s, 0)
    awake_s = start_s + computing_s + tail_s
    return (
        func.max(_each.currency).label("currency"),
        func.sum(awake_s * _each.price_hour / _HOUR_S).label("amount"),
        func.sum(start_s).label("start_s"),
        func.sum(computing_s).label("computing_s"),
        func.sum(_each.transfer_s).label("transfer_s"),
        func.sum(tail_s).label("tail_s"),
    )


def _cost(row: Row[Any]) -> Cost:
    return Cost(
        currency=row.currency,
        amount=float(row.amount),
        start_s=float(row.start_s),
        computing_s=float(row.computing_s),
        transfer_s=float(row.transfer_s),
        tail_s=float(row.tail_s),
    )
