"""The pace of work and of waking, as the ledger's newest jobs show it."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from standing_stems import World, accepted, begun, completed, found, in_world, note, request

from stemset.jobs import pace, tables
from stemset.jobs.job import Job, Queue
from stemset.jobs.pace import NEWEST, Work
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

HERE = Work("spleeter-2stems", Queue.LOCAL)
FAR = Work("spleeter-2stems", Queue.WORKER)
OTHER = Work("hdemucs", Queue.LOCAL)
SELDOM = Work("seldom", Queue.WORKER)


@pytest.fixture
def store() -> Store:
    return open_store(StoreSettings("memory"))


async def done(
    world: World,
    number: int,
    audio_s: float | None = 100.0,
    computing_s: float = 50.0,
    **changes: Any,
) -> Job:
    """A complete job that took so long."""
    recording = found(number)
    await note(world, recording)
    job, _ = await completed(world, request(recording, **changes), recording)
    took = update(tables.usage).where(tables.usage.c.job_id == job.id)
    async with world.database.transaction() as connection:
        await connection.execute(took.values(audio_s=audio_s, computing_s=computing_s))
    return job


async def taken(world: World, job: Job, after_s: float) -> None:
    """Let a job's order have been taken so long after it was given."""
    each = tables.attempts.c
    change = update(tables.attempts).where(each.job_id == job.id)
    async with world.database.transaction() as connection:
        await connection.execute(
            change.values(accepted_at=each.began_at + timedelta(seconds=after_s))
        )


async def factors(world: World) -> Mapping[Work, float]:
    async with world.database.reading() as connection:
        return await pace.realtime_factors(connection)


async def waking_s(world: World) -> float | None:
    async with world.database.reading() as connection:
        return await pace.waking_s(connection)


def test_factor_is_the_median_of_jobs_of_one_strategy_and_runner(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        for number, computing_s in enumerate((10.0, 90.0, 30.0)):
            await done(world, number, computing_s=computing_s)
        await done(world, 10, computing_s=2.0, queue=Queue.WORKER)
        await done(world, 20, computing_s=500.0, strategy_name="hdemucs")

        assert await factors(world) == pytest.approx({HERE: 0.3, FAR: 0.02, OTHER: 5.0})

    in_world(database_conninfo, store, scenario)


def test_factor_is_that_of_the_newest_jobs_only(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        for number in range(NEWEST + 5):
            await done(world, number, computing_s=900.0 if number < 5 else 20.0 + number)

        assert await factors(world) == pytest.approx({HERE: 0.345})

    in_world(database_conninfo, store, scenario)


def test_jobs_that_run_or_are_of_unknown_length_say_nothing(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found(1)
        await note(world, recording)
        await begun(world, await accepted(world, request(recording)))
        await done(world, 2, audio_s=None)
        await done(world, 3, audio_s=0.0)

        assert await factors(world) == {}

    in_world(database_conninfo, store, scenario)


def test_waking_is_the_median_of_starts_from_sleep(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        assert await waking_s(world) is None
        for number, after_s in enumerate((30.0, 0.4, 50.0, 0.1, 40.0)):
            await taken(world, await done(world, number, queue=Queue.WORKER), after_s)
        await taken(world, await done(world, 10), 500.0)

        assert await waking_s(world) == pytest.approx(40.0)

    in_world(database_conninfo, store, scenario)


COPIES = """
INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object(
    'id', md5(n::text),
    'job_id', md5(n::text),
    'output_name', 'take_' || n,
    'strategy_name', CASE WHEN n % 1000 = 0 THEN 'seldom' ELSE 'spleeter-2stems' END,
    'created_at', one.{moment} + n * interval '1 ms',
    'accepted_at', one.{moment}
))).* FROM {table} one, generate_series(2, 10000) n
"""


NEWEST_JOBS = str(select(pace._newest_jobs()).compile(compile_kwargs={"literal_binds": True}))


async def fill(world: World) -> None:
    """10,000 complete jobs of the worker, none of which had to wake it."""
    await done(world, 1, queue=Queue.WORKER)
    moments = {"jobs": "created_at", "usage": "completed_at", "attempts": "began_at"}
    async with world.database.transaction(within_s=60) as connection:
        for table, moment in moments.items():
            await connection.execute(text(COPIES.format(table=table, moment=moment)))
        await connection.execute(text("ANALYZE"))


@pytest.mark.alone
@pytest.mark.slow
def test_pace_of_ten_thousand_jobs_is_found_by_the_newest_alone(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        await fill(world)
        assert await world.count("jobs") == 10_000
        took_s = []
        for _ in range(9):
            begun_s = time.perf_counter()
            assert await factors(world) == pytest.approx({FAR: 0.5, SELDOM: 0.5})
            assert await waking_s(world) is None
            took_s.append(time.perf_counter() - begun_s)
        assert sorted(took_s)[4] < 0.1
        async with world.database.reading() as connection:
            plan = await connection.execute(text("EXPLAIN (FORMAT TEXT) " + NEWEST_JOBS))
            assert "Index Scan Backward using ix_jobs_created_at_id" in "\n".join(plan.scalars())

    in_world(database_conninfo, store, scenario)
