"""The queue at work: it goes on, whatever others did to its entries meanwhile."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from clock_off import clock_off
from ledger_jobs import (
    OTHER,
    Act,
    accept,
    count,
    in_ledger,
    look,
    outcomes,
    queued_entries,
    separating,
    succeed,
)
from sqlalchemy import text

from stemset.errors import Interrupted
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, State
from stemset.jobs.queue import QueueAtWork
from stemset.jobs.recovery import Recovery
from stemset.orders.messages import Failure, Order
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

NEXT = replace(OTHER, output_name="take_cdcdcdcd")
ENTRIES_FINISHED = "DELETE FROM procrastinate_jobs"
TAKEN_BY_ANOTHER = "UPDATE procrastinate_jobs SET status = 'todo'"
THOUGHT_DEAD = "DELETE FROM procrastinate_workers"
LET_GO_OF_THE_DEAD = """
import asyncio, sys
from stemset.jobs import entries
from stemset.jobs.database import Database
from stemset.jobs.queue import SILENT_S

async def look():
    database = Database(sys.argv[1])
    async with database.transaction() as connection:
        print(await entries.let_go_of_the_dead(connection, [], SILENT_S))
    await database.close()

asyncio.run(look())
"""
SILENT_FOR_LONG = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(StoreSettings(kind="folder", bucket=str(tmp_path)))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


async def until_ended(database: Database, job: Job) -> Job:
    async def ended() -> bool:
        return (await look(database, job.id)).state.has_ended

    await until(ended)
    return await look(database, job.id)


class Held:
    """An act that waits until it may go on."""

    def __init__(self, then: Act) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self._then = then

    async def __call__(self, runner: "object", order: Order) -> Failure | None:
        self.begun.set()
        await self.may_end.wait()
        return await self._then(runner, order)  # type: ignore[arg-type]


async def be_interrupted(_runner: object, _order: Order) -> Failure:
    return Failure.of(Interrupted("x"))


@asynccontextmanager
async def at_work(
    database: Database, store: Store, *acts: Act
) -> AsyncIterator[tuple[QueueAtWork, Recovery]]:
    task, _ = separating(database, store, *acts)
    queue = QueueAtWork(database.conninfo, [Queue.LOCAL], task)
    working = asyncio.create_task(queue.run())
    try:
        yield queue, Recovery(database, queue, task)
    finally:
        working.cancel()
        await asyncio.wait({working})
        assert working.cancelled(), working.exception()


async def do(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


@pytest.mark.parametrize("meanwhile", [ENTRIES_FINISHED, TAKEN_BY_ANOTHER])
@pytest.mark.parametrize("then", [succeed, be_interrupted])
def test_entry_that_was_let_go_meanwhile_does_not_stop_the_queue(
    database_conninfo: str, store: Store, meanwhile: str, then: Act
) -> None:
    async def scenario(database: Database) -> None:
        held = Held(then)
        async with at_work(database, store, held, succeed):
            first = await accept(database)
            await held.begun.wait()
            await do(database, meanwhile)
            held.may_end.set()
            following = await until_ended(database, await accept(database, NEXT))

            assert following.state is State.COMPLETE
            assert (await look(database, first.id)).error is None

    in_ledger(database_conninfo, scenario)


def test_process_that_was_thought_dead_takes_the_next_entry(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        async with at_work(database, store, succeed):
            await until_ended(database, await accept(database))
            await do(database, THOUGHT_DEAD)
            following = await until_ended(database, await accept(database, NEXT))

            assert following.state is State.COMPLETE

    in_ledger(database_conninfo, scenario)


def test_process_that_starts_does_not_forget_those_that_were_silent_for_a_while(
    database_conninfo: str, store: Store
) -> None:
    async def scenario(database: Database) -> None:
        held = Held(succeed)
        async with at_work(database, store, held):
            await accept(database)
            await held.begun.wait()
            await do(database, SILENT_FOR_LONG)
            async with at_work(database, store, succeed) as (second, _):

                async def works() -> bool:
                    return bool(second.worker_ids)

                await until(works)
                assert await count(database, "procrastinate_workers") == 2
                held.may_end.set()

    in_ledger(database_conninfo, scenario)


def test_process_that_slept_lets_nothing_go_that_it_is_at_itself(
    database_conninfo: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stemset.jobs.recovery._STEADY_S", 0.0)  # every look is a steady one

    async def scenario(database: Database) -> None:
        held = Held(succeed)
        async with at_work(database, store, held) as (_, recovery):
            job = await accept(database)
            await held.begun.wait()
            await do(database, SILENT_FOR_LONG)
            await recovery.look()
            assert await queued_entries(database) == 0

            held.may_end.set()
            await until_ended(database, job)
            assert await outcomes(database, job.id) == ["complete"]

    in_ledger(database_conninfo, scenario)


@pytest.mark.parametrize("off_s", [7200, -7200], ids=["ahead", "behind"])
def test_who_is_dead_is_told_by_the_databases_clock(
    database_conninfo: str, store: Store, tmp_path: Path, off_s: int
) -> None:
    async def freed_by_another(database: Database) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LET_GO_OF_THE_DEAD, database.conninfo),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | clock,
        )
        said, _ = await process.communicate()
        return said.decode().strip()

    async def scenario(database: Database) -> None:
        held = Held(succeed)
        async with at_work(database, store, held):
            job = await accept(database)
            await held.begun.wait()
            assert await freed_by_another(database) == "[]"
            await do(database, SILENT_FOR_LONG)
            assert await freed_by_another(database) == f"['{job.id}']"
            held.may_end.set()

    clock = clock_off(tmp_path / "clock", off_s)
    in_ledger(database_conninfo, scenario)
