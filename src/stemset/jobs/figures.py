"""The ledger in figures: the same from whichever process they are asked.

Rows of jobs, attempts and usage stay for ever, so whatever counts them never goes down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Double, Executable, case, cast, extract, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.cost import Cost, Month
from stemset.errors import (
    ComputingCrashed,
    ComputingStalled,
    DeadlinePassed,
    codes,
    error_from,
)
from stemset.jobs import costs, tables
from stemset.jobs.attempts import Outcome
from stemset.jobs.job import Queue, State

WAIT_BOUNDS_S = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 43_200)
"""A wait that is still worth telling from others: from at once to half a day."""

_UNKNOWN = "unknown"
_CRASHES = [each.code for each in (ComputingCrashed, ComputingStalled, DeadlinePassed)]
_WAITING = (State.QUEUED, State.WAKING)

_attempts = tables.attempts.c
_jobs = tables.jobs.c
_usage = tables.usage.c


class Waits(NamedTuple):
    """How long jobs of a queue waited for their computation.

    Attributes:
        counts: Jobs, by bound: those that waited for longer than the bound before, and not longer
            than this one; the last are all beyond.
        sum_s: All of it together.
    """

    counts: Sequence[int]
    sum_s: float


class Split(NamedTuple):
    """What came of completed jobs.

    Attributes:
        jobs: How many there are.
        audio_s: Length of their recordings.
        took_s: What the attempts that won took, without transfers.
    """

    jobs: int
    audio_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger knows.

    Attributes:
        jobs: Jobs by queue and state.
        oldest_s: By queue, since when its oldest job waits that nobody computes, though it is not
            held; 0 if none does.
        waits: Waits by queue.
        failed: Jobs that failed, by the error's code.
        attempts: Attempts that ended, by queue, outcome and the error's code, which may be empty.
        computing_s: What attempts computed, by queue, profile and device.
        splits: What came of completed jobs, by strategy and device.
        held: Jobs that are held, by profile.
        spent: What was ever spent, by profile and currency.
        month: What orders of this month cost, by profile and currency.
    """

    jobs: Mapping[tuple[str, str], int]
    oldest_s: Mapping[str, float]
    waits: Mapping[str, Waits]
    failed: Mapping[str, int]
    attempts: Mapping[tuple[str, str, str], int]
    computing_s: Mapping[tuple[str, str, str], float]
    splits: Mapping[tuple[str, str], Split]
    held: Mapping[str, int]
    spent: Mapping[tuple[str, str], Cost]
    month: Mapping[tuple[str, str], float]


async def figures(connection: AsyncConnection) -> Figures:
    """Count. Each figure is right by itself; a job may move on between two of them."""
    return Figures(
        jobs=await _by_key(connection, _JOBS, dict.fromkeys(_every(Queue, State), 0)),
        oldest_s=await _by_key(connection, _OLDEST, dict.fromkeys(map(str, Queue), 0.0)),
        waits=await _waits(connection),
        failed=await _failed(connection),
        attempts=await _ended_attempts(connection),
        computing_s=await _by_key(connection, _COMPUTING, {}),
        splits={
            (row.strategy_name, row.device): Split(row.jobs, row.audio_s, row.took_s)
            for row in await connection.execute(_SPLITS)
        },
        held=await _by_key(connection, _HELD, {}),
        spent=await costs.until_now(connection),
        month={
            (each.profile, each.cost.currency): each.cost.amount
            for each in await costs.of_month(connection, Month.now())
        },
    )


def _code(error: Any) -> Any:
    return func.coalesce(error["code"].astext, "")


_DEVICE = func.coalesce(_attempts.device, _UNKNOWN).label("device")

_JOBS = select(_jobs.queue, _jobs.state, func.count()).group_by(_jobs.queue, _jobs.state)

_OLDEST = (
    select(_jobs.queue, cast(extract("epoch", func.now() - func.min(_jobs.created_at)), Double))
    .where(_jobs.ended_at.is_(None), _jobs.held.is_(None), _jobs.state.in_(_WAITING))
    .group_by(_jobs.queue)
)

_HELD = (
    select(_jobs.profile, func.count())
    .where(_jobs.ended_at.is_(None), _jobs.held.is_not(None))
    .group_by(_jobs.profile)
)

_FAILED = (
    select(_code(_jobs.error).label("code"), func.count())
    .where(_jobs.state == State.ERROR)
    .group_by("code")
)

_ENDED = (
    select(_attempts.runner, _attempts.outcome, _code(_attempts.error).label("code"), func.count())
    .where(_attempts.ended_at.is_not(None))
    .group_by(_attempts.runner, _attempts.outcome, "code")
)

_COMPUTING = (
    select(_attempts.runner, _jobs.profile, _DEVICE, func.sum(_attempts.computing_s))
    .join(tables.jobs, _jobs.id == _attempts.job_id)
    .where(_attempts.computing_s > 0)
    .group_by(_attempts.runner, _jobs.profile, "device")
)

_SPLITS = (
    select(
        _jobs.strategy_name,
        _DEVICE,
        func.count().label("jobs"),
        func.coalesce(func.sum(_usage.audio_s), 0.0).label("audio_s"),
        func.sum(_usage.computing_s).label("took_s"),
    )
    .join(tables.jobs, _jobs.id == _usage.job_id)
    .outerjoin(
        tables.attempts, (_attempts.job_id == _jobs.id) & (_attempts.folder == _jobs.attempt)
    )
    .group_by(_jobs.strategy_name, "device")
)


def _waits_query() -> Executable:
    """The first sign of computation of each job, and how many came within which bound."""
    began = (
        select(_attempts.job_id, func.min(_attempts.accepted_at).label("at"))
        .where(_attempts.accepted_at.is_not(None))
        .group_by(_attempts.job_id)
        .subquery()
    )
    wait_s = cast(extract("epoch", began.c.at - _jobs.created_at), Double)
    bound = case(
        *((wait_s <= bound_s, index) for index, bound_s in enumerate(WAIT_BOUNDS_S)),
        else_=literal(len(WAIT_BOUNDS_S)),
    ).label("bound")
    return (
        select(_jobs.queue, bound, func.count(), func.sum(wait_s))
        .join(began, began.c.job_id == _jobs.id)
        .group_by(_jobs.queue, "bound")
    )


_WAITS = _waits_query()


async def _waits(connection: AsyncConnection) -> dict[str, Waits]:
    counts = {str(queue): [0] * (len(WAIT_BOUNDS_S) + 1) for queue in Queue}
    sums = dict.fromkeys(counts, 0.0)
    for queue, bound, count, sum_s in await connection.execute(_WAITS):
        counts[queue][bound] = count
        sums[queue] += sum_s
    return {queue: Waits(counts[queue], sums[queue]) for queue in counts}


async def _failed(connection: AsyncConnection) -> dict[str, int]:
    failed = dict.fromkeys(codes(), 0)
    for code, count in await connection.execute(_FAILED):
        failed[_known(code)] += count
    return failed


async def _ended_attempts(connection: AsyncConnection) -> dict[tuple[str, str, str], int]:
    ended = {(*each, ""): 0 for each in _every(Queue, Outcome)}
    ended |= {(*each, code): 0 for each in _every(Queue, [Outcome.FAILED]) for code in _CRASHES}
    for runner, outcome, code, count in await connection.execute(_ENDED):
        key = (runner, outcome, code and _known(code))
        ended[key] = ended.get(key, 0) + count
    return ended


async def _by_key(connection: AsyncConnection, query: Executable, zeros: dict[Any, Any]) -> Any:
    """Rows whose last column is a figure, by the columns before it."""
    for *key, figure in await connection.execute(query):
        zeros[tuple(key) if len(key) > 1 else key[0]] = figure
    return zeros


def _known(code: str) -> str:
    """A code of the error tree: a worker may say anything, and each word would be a series."""
    return error_from(code, "").code


def _every(ones: Any, others: Any) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one in ones for other in others]
