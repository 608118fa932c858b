"""Jobs for which a month has no money left: held before they cost anything, and then taken up."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_jobs import (
    OTHER,
    Act,
    ToldRunner,
    accept,
    hang,
    in_ledger,
    look,
    outcomes,
    separating,
    succeed,
)
from priced_attempts import RATE, begun, ended, passes, taken
from sqlalchemy import text

from stemset.jobs import ledger
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, State
from stemset.jobs.queue import QueueAtWork
from stemset.jobs.task import Again, Separating
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

SPENT = 0.36
"""A minute of computing, and the tail: see ``priced_attempts``."""

NEXT = replace(OTHER, output_name="next_cdcdcdcd")
OTHER_PROFILE = replace(NEXT, profile="desk")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(StoreSettings(kind="folder", bucket=str(tmp_path)))


async def spend(database: Database) -> None:
    """Let the month have cost something."""
    attempt = await begun(database, await accept(database))
    await taken(database, attempt)
    await passes(database, 60)
    await ended(database, attempt)


def capped(
    database: Database, store: Store, *acts: Act, caps: Mapping[str, float]
) -> tuple[Separating, ToldRunner]:
    return separating(database, store, *acts, rates={Queue.LOCAL: RATE}, monthly_caps=caps)


async def held(task: Separating, job: Job) -> float:
    """Run a task that does not begin. Returns after how many seconds it wants to be asked again."""
    with pytest.raises(Again) as again:
        await task.run(job.id)
    return again.value.pause_s


async def rows(database: Database, query: str) -> list[Any]:
    async with database.reading() as connection:
        return list(await connection.execute(text(query)))


def test_job_over_the_cap_is_held_says_why_and_costs_nothing(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, NEXT)
        task, runner = capped(database, store, succeed, caps={"band": SPENT - 0.01})

        assert await held(task, job) >= 10

        found = await look(database, job.id)
        assert found.state is State.QUEUED
        assert found.held is not None
        assert "band may cost 0.35 USD a month" in found.held
        assert runner.orders == []
        assert await outcomes(database, job.id) == []

    in_ledger(database_conninfo, scenario)


def test_job_that_stays_held_tells_it_once(database_conninfo: str, store: Store) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, NEXT)
        task, _ = capped(database, store, succeed, caps={"band": 0.1})
        told = f"SELECT id FROM events WHERE subject = '{job.id}'"  # noqa: S608 - an id of ours
        await held(task, job)
        before = await rows(database, told)
        await held(task, job)

        assert await rows(database, told) == before

    in_ledger(database_conninfo, scenario)


@pytest.mark.parametrize(
    "caps", [pytest.param({"band": 10.0}, id="raised"), pytest.param({}, id="removed")]
)
def test_held_job_is_taken_up_when_the_cap_is_raised(
    database_conninfo: str, store: Store, caps: Mapping[str, float]
) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, NEXT)
        await held(capped(database, store, succeed, caps={"band": 0.1})[0], job)
        task, _ = capped(database, store, succeed, caps=caps)
        await task.run(job.id)

        found = await look(database, job.id)
        assert (found.state, found.held) == (State.COMPLETE, None)
        assert await outcomes(database, job.id) == ["complete"]

    in_ledger(database_conninfo, scenario)


def test_held_job_is_taken_up_when_the_next_month_has_begun(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, NEXT)
        task, _ = capped(database, store, succeed, caps={"band": 0.1})
        await held(task, job)
        await passes(database, 32 * 86_400)
        await task.run(job.id)

        assert (await look(database, job.id)).state is State.COMPLETE

    in_ledger(database_conninfo, scenario)


def test_held_job_lets_another_profile_s_pass(database_conninfo: str, store: Store) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        first, second = await accept(database, NEXT), await accept(database, OTHER_PROFILE)
        task, runner = capped(database, store, succeed, caps={"band": 0.1})
        queue = asyncio.create_task(QueueAtWork(database.conninfo, [Queue.LOCAL], task).run())
        while not (await look(database, second.id)).state.has_ended:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        queue.cancel()
        await asyncio.wait({queue})

        assert (await look(database, second.id)).state is State.COMPLETE
        assert [order.job_id for order in runner.orders] == [second.id]
        assert (await look(database, first.id)).held is not None

    in_ledger(database_conninfo, scenario)


def test_held_job_that_is_cancelled_is_held_no_more(database_conninfo: str, store: Store) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, NEXT)
        task, runner = capped(database, store, succeed, caps={"band": 0.1})
        await held(task, job)
        async with database.transaction() as connection:
            await ledger.cancel(connection, job.id)
        await task.run(job.id)

        found = await look(database, job.id)
        assert (found.state, found.held) == (State.CANCELLED, None)
        assert (runner.orders, runner.cancelled) == ([], [])

    in_ledger(database_conninfo, scenario)


def test_attempt_that_is_open_is_joined_whatever_was_spent_since(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        job = await accept(database, NEXT)
        dying, first = capped(database, store, hang, caps={"band": 10.0})
        working = asyncio.create_task(dying.run(job.id))
        while not first.orders:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
        working.cancel()
        await asyncio.wait({working})
        await spend(database)
        task, second = capped(database, store, succeed, caps={"band": 0.1})
        await task.run(job.id)

        assert [order.attempt for order in first.orders + second.orders] == [1, 1]
        found = await look(database, job.id)
        assert (found.state, found.held) == (State.COMPLETE, None)

    in_ledger(database_conninfo, scenario)


def test_profile_without_a_cap_is_never_held(database_conninfo: str, store: Store) -> None:
    async def scenario(database: Database) -> None:
        await spend(database)
        job = await accept(database, OTHER_PROFILE)
        task, _ = capped(database, store, succeed, caps={"band": 0.1})
        await task.run(job.id)

        assert (await look(database, job.id)).state is State.COMPLETE

    in_ledger(database_conninfo, scenario)
