"""Attempts in the ledger: one row each, which is also the row of what it cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Update, case, extract, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.budget import Budget, Limits
from stemset.dispatch.cost import Rate
from stemset.dispatch.course import Course
from stemset.errors import (
    AttemptUsed,
    Interrupted,
    NoSpace,
    StemsetError,
    StorageUnavailable,
    UnsupportedVersion,
    WorkerBusy,
)
from stemset.jobs import costs, tables
from stemset.orders.messages import Failure

_attempts = tables.attempts

LIMITS = Limits(failed=3, interrupted=20, passed_over=20)

_FOLLOWED_WITHIN = timedelta(minutes=1)
"""An attempt that is followed is heard of at least so often."""

# Service and worker are of different versions while a new one is being deployed.
_NO_FAULT_OF_ITS_OWN = (
    Interrupted,
    NoSpace,
    StorageUnavailable,
    UnsupportedVersion,
    WorkerBusy,
)


class Outcome(StrEnum):
    """How an attempt ended.

    ``interrupted`` and ``passed_over`` are no fault of the job's and count apart from ``failed``.
    """

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    PASSED_OVER = "passed_over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that has not ended.

    Attributes:
        job_id: The job.
        number: Its number.
        folder: Name of its folder below the output's.
    """

    job_id: str
    number: int
    folder: str


def outcome_of(error: StemsetError) -> Outcome:
    """What an error says of the attempt that it ended."""
    if isinstance(error, AttemptUsed):
        return Outcome.PASSED_OVER
    if isinstance(error, _NO_FAULT_OF_ITS_OWN):
        return Outcome.INTERRUPTED
    return Outcome.FAILED


async def find_open(connection: AsyncConnection, job_id: str) -> OpenAttempt | None:
    """The attempt at a job that has not ended."""
    each = _attempts.c
    query = select(each.number, each.folder).where(each.job_id == job_id, each.ended_at.is_(None))
    row = (await connection.execute(query.order_by(each.number.desc()))).first()
    return None if row is None else OpenAttempt(job_id, row.number, row.folder)


async def begin(
    connection: AsyncConnection,
    job_id: str,
    folder_of: Callable[[int], str],
    runner: str,
    rate: Rate | None = None,
    *,
    asked_s: float = 0.0,
) -> OpenAttempt:
    """The attempt that is to be ordered: the one that may still run, else the next.

    Args:
        connection: The transaction.
        job_id: The job; its row is locked by the caller.
        folder_of: Gives the name of the folder of an attempt's number.
        runner: Who carries it out.
        rate: What that costs; it stands in the row, since prices change.
        asked_s: Seconds since the worker was asked for on its behalf.
    """
    if standing := await find_open(connection, job_id):
        await _ask_anew(connection, standing)
        return standing
    each = _attempts.c
    last = select(func.coalesce(func.max(each.number), 0)).where(each.job_id == job_id)
    number = (await connection.execute(last)).scalar_one() + 1
    folder = folder_of(number)
    price = {} if rate is None else costs.columns(rate)
    began = func.now() - timedelta(seconds=asked_s)
    row = insert(_attempts).values(
        job_id=job_id, number=number, folder=folder, runner=runner, began_at=began, **price
    )
    await connection.execute(row)
    return OpenAttempt(job_id, number, folder)


async def _ask_anew(connection: AsyncConnection, attempt: OpenAttempt) -> None:
    """Begin an order anew that nobody took: asked long ago, the worker has gone to sleep since."""
    each = _attempts.c
    idle = func.make_interval(0, 0, 0, 0, 0, 0, each.idle_s)
    change = _of(attempt).where(each.accepted_at.is_(None), each.began_at < func.now() - idle)
    await connection.execute(change.values(began_at=func.now()))


async def touch(
    connection: AsyncConnection,
    attempt: OpenAttempt,
    device: str | None = None,
    *,
    works: bool = True,
) -> None:
    """Note a sign of life: from the first one on, the attempt costs.

    Args:
        connection: The transaction.
        attempt: The attempt.
        device: What computes, as far as it was said.
        works: Whether it is one of the attempt's work, and not only of its worker.
    """
    each = _attempts.c
    change = _of(attempt).values(
        accepted_at=func.coalesce(each.accepted_at, func.now()),
        touched_at=case((each.accepted_at.is_(None) | works, func.now()), else_=each.touched_at),
        device=func.coalesce(device, each.device),
    )
    await connection.execute(change)


async def end(
    connection: AsyncConnection,
    attempt: OpenAttempt,
    outcome: Outcome,
    *,
    failure: Failure | None = None,
    timings: Mapping[str, Any] | None = None,
    device: str | None = None,
    course: Course | None = None,
) -> None:
    """Note how an attempt ended, and when; one that has ended is left as it is.

    Args:
        connection: The transaction.
        attempt: The attempt.
        outcome: How it ended.
        failure: Why, if it failed.
        timings: Of its stems.
        device: What computed.
        course: What was seen of it by whoever followed it.
    """
    each = _attempts.c
    ended = _ended_at(outcome, course)
    spent_s = extract("epoch", ended - each.accepted_at)
    values: dict[str, Any] = {
        "outcome": outcome,
        "error": failure and failure.model_dump(),
        "timings": timings and dict(timings),
        "device": func.coalesce(device, each.device),
        "computing_s": func.coalesce(func.greatest(spent_s, 0), 0),
        "transfer_s": course.transfer_s if course else 0.0,
        "ended_at": ended,
    }
    if failure and failure.code == Interrupted.code:
        values["idle_s"] = 0.0  # it was told to stop, and idles no more
    await connection.execute(_of(attempt).values(**values))


def _ended_at(outcome: Outcome, course: Course | None) -> ColumnElement[Any]:
    """When an attempt let go of its worker.

    A worker that nobody follows sleeps after its idle period, even in the middle of its work: what
    it was last heard of was its last contact.
    """
    heard, now = _attempts.c.touched_at, func.now()
    if course is None:
        return case((heard > now - _FOLLOWED_WITHIN, now), else_=heard)
    if outcome is Outcome.PASSED_OVER or course.is_awaited:
        asked = now - timedelta(seconds=course.asked_s)
        return asked if course.was_lost else func.least(heard, asked)
    return now - timedelta(seconds=course.let_go_s)


async def budget(connection: AsyncConnection, job_id: str) -> Budget:
    """What a job's attempts so far came to."""
    each = _attempts.c
    query = select(each.outcome, func.count()).where(each.job_id == job_id).group_by(each.outcome)
    counts: dict[str | None, int] = dict((await connection.execute(query)).all())
    return Budget(
        failed=counts.get(Outcome.FAILED, 0),
        interrupted=counts.get(Outcome.INTERRUPTED, 0),
        passed_over=counts.get(Outcome.PASSED_OVER, 0),
        limits=LIMITS,
    )


def _of(attempt: OpenAttempt) -> Update:
    """Change an attempt that has not ended; another job's can have the same number."""
    each = _attempts.c
    its_own = each.job_id == attempt.job_id, each.folder == attempt.folder
    return update(_attempts).where(*its_own, each.ended_at.is_(None))
