"""Seconds that are paid for: whatever courses attempts take, none counts twice, and none is lost.

Courses are made up, and their rows written as they would be by then. What is right follows from
nothing but intervals of time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledger_database import LedgerDatabases
from ledger_jobs import REQUEST, accept, in_ledger
from priced_attempts import RATE as _RATE
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.cost import Cost
from stemset.jobs import costs, tables
from stemset.jobs.database import Database
from stemset.jobs.job import Queue

IDLE_S = 30
RATE = replace(_RATE, idle_s=IDLE_S)
SPAN_S = 400
A_MOMENT_S = 0.01
"""What rounding makes of it."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Course:
    """An attempt, in seconds since something began.

    Attributes:
        began: When it was ordered.
        taken: When the worker took it, None if it did not.
        ended: When it ended, None if it has not.
    """

    began: int
    taken: int | None
    ended: int | None


@st.composite
def courses(draw: st.DrawFn) -> Course:
    began = draw(st.integers(0, SPAN_S))
    taken = draw(st.none() | st.integers(began, SPAN_S))
    ended = draw(st.none() | st.integers(taken if taken is not None else began, SPAN_S))
    return Course(began, taken, ended)


@st.composite
def one_after_the_other(draw: st.DrawFn) -> Sequence[Course]:
    """Orders that a worker takes as they are given, each when it is done with the one before."""
    made: list[Course] = []
    began = free = 0
    for _ in range(draw(st.integers(1, 6))):
        began += draw(st.integers(0, 90))
        taken = max(began, free) + draw(st.integers(0, 20))
        free = taken + draw(st.integers(0, 60))
        made.append(Course(began, taken, free))
    return made


def union_s(intervals: Iterable[Interval]) -> float:
    """How much time intervals cover together."""
    covered, reached = 0.0, float("-inf")
    for since, until in sorted(intervals):
        covered += max(0.0, until - max(since, reached))
        reached = max(reached, until)
    return covered


@pytest.fixture(scope="module")
def conninfo(ledger_databases: LedgerDatabases) -> str:
    return ledger_databases.migrated()


async def jobs(database: Database, count: int, queue: Queue) -> list[str]:
    """So many jobs, and no other, and no attempts; their ids."""
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE attempts, usage, outputs, jobs CASCADE"))
    requests = [replace(REQUEST, output_name=f"take_{n}", queue=queue) for n in range(count)]
    return [(await accept(database, each)).id for each in requests]


async def write(connection: AsyncConnection, job_id: str, course: Course, now: int) -> None:
    """Add a job's attempt as it would stand in the ledger now."""
    moments = {"began_at": course.began, "accepted_at": course.taken, "ended_at": course.ended}
    values = {
        name: func.now() - timedelta(seconds=now - at)
        for name, at in moments.items()
        if at is not None
    }
    runner = select(tables.jobs.c.queue).where(tables.jobs.c.id == job_id).scalar_subquery()
    row = insert(tables.attempts).values(job_id=job_id, number=1, folder="x", runner=runner)
    await connection.execute(row.values(**values, **costs.columns(RATE)))


def paid(
    conninfo: str, made: Sequence[Course], now: int = SPAN_S, queue: Queue = Queue.WORKER
) -> list[Cost]:
    """What these attempts cost, one by one; asked for together, or alone, it is the same."""

    async def scenario(database: Database) -> list[Cost]:
        ids = await jobs(database, len(made), queue)
        async with database.transaction() as connection:  # in which the clock stands
            for job_id, each in zip(ids, made, strict=True):
                await write(connection, job_id, each, now)
            together = await costs.of_jobs(connection, ids)
            alone = [(await costs.of_jobs(connection, [each]))[each] for each in ids]
        assert alone == [together[each] for each in ids]
        return alone

    return in_ledger(conninfo, scenario)


many = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.mark.slow
@many
@given(made=st.lists(courses(), min_size=1, max_size=6))
@example(made=[Course(0, 0, 60), Course(10, 60, None)])  # the one is taken, the other not ended
@example(made=[Course(0, 0, None), Course(10, 20, 30), Course(15, None, None)])
@example(made=[Course(0, 50, 60), Course(20, 30, 40)])
def test_seconds_of_a_worker_are_never_paid_twice(conninfo: str, made: Sequence[Course]) -> None:
    total_s = sum(each.awake_s for each in paid(conninfo, made))

    taken = [each for each in made if each.taken is not None]
    ends = [SPAN_S if each.ended is None else each.ended for each in taken]
    awake = [(each.began, end + IDLE_S) for each, end in zip(taken, ends, strict=True)]
    at_work = [(each.taken or 0, end) for each, end in zip(taken, ends, strict=True)]
    assert union_s(at_work) - A_MOMENT_S <= total_s <= union_s(awake) + A_MOMENT_S


@pytest.mark.slow
@many
@given(made=one_after_the_other())
def test_seconds_of_orders_that_are_taken_as_they_are_given_are_paid_once_each(
    conninfo: str, made: Sequence[Course]
) -> None:
    now = max(each.ended or 0 for each in made) + 1

    total_s = sum(each.awake_s for each in paid(conninfo, made, now))

    awake = [(each.began, (each.ended or 0) + IDLE_S) for each in made]
    assert total_s == pytest.approx(union_s(awake), abs=A_MOMENT_S)


def test_seconds_of_machines_of_their_own_are_paid_for_each(conninfo: str) -> None:
    made = [Course(0, 10, 60), Course(0, 20, 70)]

    found = paid(conninfo, made, queue=Queue.LOCAL)

    assert [each.start_s for each in found] == [0, 0]
    assert [each.computing_s for each in found] == pytest.approx([50, 50])
