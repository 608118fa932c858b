"""Attempts in the ledger: one row each, which is also the row of what it cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Update, extract, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.budget import Budget, Limits
from stemset.errors import (
    AttemptUsed,
    Interrupted,
    NoSpace,
    StemsetError,
    StorageUnavailable,
    UnsupportedVersion,
    WorkerBusy,
)
from stemset.jobs import tables
from stemset.orders.messages import Failure

_attempts = tables.attempts

LIMITS = Limits(failed=3, interrupted=20, passed_over=20)

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
    connection: AsyncConnection, job_id: str, folder_of: Callable[[int], str], runner: str
) -> OpenAttempt:
    """The attempt that is to be ordered: the one that may still run, else the next.

    Args:
        connection: The transaction.
        job_id: The job; its row is locked by the caller.
        folder_of: Gives the name of the folder of an attempt's number.
        runner: Who carries it out.
    """
    if standing := await find_open(connection, job_id):
        return standing
    each = _attempts.c
    last = select(func.coalesce(func.max(each.number), 0)).where(each.job_id == job_id)
    number = (await connection.execute(last)).scalar_one() + 1
    folder = folder_of(number)
    row = insert(_attempts).values(job_id=job_id, number=number, folder=folder, runner=runner)
    await connection.execute(row)
    return OpenAttempt(job_id, number, folder)


async def touch(connection: AsyncConnection, attempt: OpenAttempt) -> None:
    """Note a sign of life: from the first one on, the attempt costs."""
    each = _attempts.c
    change = _of(attempt).values(
        accepted_at=func.coalesce(each.accepted_at, func.now()), touched_at=func.now()
    )
    await connection.execute(change)


async def end(
    connection: AsyncConnection,
    attempt: OpenAttempt,
    outcome: Outcome,
    *,
    failure: Failure | None = None,
    timings: Mapping[str, Any] | None = None,
) -> None:
    """Note how an attempt ended, and what it cost; one that has ended is left as it is.

    An attempt that was passed over stopped computing when it was last heard of, not now.
    """
    each = _attempts.c
    until = each.touched_at if outcome is Outcome.PASSED_OVER else func.now()
    spent_s = extract("epoch", until - each.accepted_at)
    change = _of(attempt).values(
        outcome=outcome,
        error=failure and failure.model_dump(),
        timings=timings and dict(timings),
        computing_s=func.coalesce(func.greatest(spent_s, 0), 0),
        ended_at=func.now(),
    )
    await connection.execute(change)


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
    each = _attempts.c
    return update(_attempts).where(
        each.job_id == attempt.job_id, each.number == attempt.number, each.ended_at.is_(None)
    )
