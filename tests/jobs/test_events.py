"""Events: numbered in the order of commits; what changed since a number."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from listening_ledger import Ledger, run
from sqlalchemy import delete

from stemset.jobs import events, tables
from stemset.jobs.events import Event, Kind
from stemset.jobs.resuming import changed_since


def subjects(found: Sequence[Event] | None) -> list[str]:
    assert found is not None
    return [event.subject for event in found]


async def since(ledger: Ledger, after: int, limit: int = 100) -> list[Event] | None:
    async with ledger.database.reading() as connection:
        found = await changed_since(connection, after, limit)
    return None if found is None else list(found)


async def remove_first(ledger: Ledger, count: int) -> None:
    async with ledger.database.transaction() as connection:
        await connection.execute(delete(tables.events).where(tables.events.c.id <= count))


def test_event_of_a_transaction_that_is_open_holds_up_later_ones(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        async with ledger.database.transaction() as connection:
            await events.append(connection, Kind.JOB, "first")
            later = asyncio.create_task(ledger.append("second"))
            done, _ = await asyncio.wait({later}, timeout=0.3)
            assert not done
        await later
        assert subjects(await since(ledger, 0)) == ["first", "second"]
        await ledger.database.close()

    run(scenario())


def test_reader_that_goes_on_from_its_last_number_misses_none_of_many_writers(
    database_conninfo: str,
):
    writers, each = 8, 25

    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        writing = asyncio.gather(
            *(ledger.append(*(f"{writer}-{n}" for n in range(each))) for writer in range(writers))
        )
        seen: list[Event] = []
        while len(seen) < writers * each:
            is_last = writing.done()
            async with ledger.database.reading() as connection:
                seen += await events.since(connection, seen[-1].id if seen else 0, 100)
            assert not is_last or len(seen) == writers * each, "events were missed"
        assert [event.id for event in seen] == sorted({event.id for event in seen})
        assert len({event.subject for event in seen}) == writers * each
        await writing
        await ledger.database.close()

    run(scenario())


def test_changed_since_gives_the_newest_event_of_each_subject(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        await ledger.append("a", "b", "a", "c")
        await ledger.append("a", kind=Kind.OUTPUT)
        newest = [
            Event(2, Kind.JOB, "b"),
            Event(3, Kind.JOB, "a"),
            Event(4, Kind.JOB, "c"),
            Event(5, Kind.OUTPUT, "a"),
        ]
        assert await since(ledger, 0) == newest
        assert await since(ledger, 3) == newest[2:]
        assert await since(ledger, 5) == []
        await ledger.database.close()

    run(scenario())


def test_changed_since_goes_on_page_by_page(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        await ledger.append(*"abcaxyb")
        seen: list[str] = []
        after = 0
        while page := await since(ledger, after, limit=2):
            seen += subjects(page)
            after = page[-1].id
        assert seen == ["c", "a", "x", "y", "b"]
        await ledger.database.close()

    run(scenario())


def test_changed_since_a_forgotten_number_cannot_be_told(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        await ledger.append(*"abcde")
        await remove_first(ledger, 3)
        assert await since(ledger, 2) is None
        assert subjects(await since(ledger, 3)) == ["d", "e"]
        await ledger.database.close()

    run(scenario())


def test_changed_since_a_number_that_never_was_cannot_be_told(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        assert await since(ledger, 0) == []
        assert await since(ledger, 1) is None
        await ledger.append("a")
        assert await since(ledger, 2) is None
        assert await since(ledger, -1) is None
        await ledger.database.close()

    run(scenario())


def test_forget_removes_only_what_is_old_enough(database_conninfo: str):
    async def scenario() -> None:
        ledger = Ledger(database_conninfo)
        await ledger.append(*"abc")
        async with ledger.database.transaction() as connection:
            await events.forget(connection, timedelta(hours=1))
        assert subjects(await since(ledger, 0)) == ["a", "b", "c"]
        async with ledger.database.transaction() as connection:
            await events.forget(connection, timedelta(0))
        assert await since(ledger, 1) is None
        await ledger.database.close()

    run(scenario())
