"""Hearing what changed: at once, each subject once, and after any failure of the database."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from database_server import DatabaseServer
from listening_ledger import Ledger, listening_to, run
from sqlalchemy import insert
from structlog.testing import capture_logs

from stemset.errors import DatabaseUnavailable
from stemset.jobs import events, tables
from stemset.jobs._notices import Notice
from stemset.jobs.events import CHANNEL, Event, Kind
from stemset.jobs.listening import Batch, Subscription
from stemset.jobs.migrate import migrate

pytestmark = pytest.mark.alone


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    server = DatabaseServer()
    server.start()
    yield server
    server.thaw()
    server.stop()


async def heard(subscription: Subscription, wanted: Callable[[Batch], bool]) -> list[Batch]:
    """Batches up to the first that is wanted."""
    batches: list[Batch] = []
    async for batch in subscription:
        batches.append(batch)
        if wanted(batch):
            break
    return batches


def tells_of(subject: str) -> Callable[[Batch], bool]:
    return lambda batch: any(event.subject == subject for event in batch.events)


def numbers(batches: list[Batch]) -> list[int]:
    return [event.id for batch in batches for event in batch.events]


def test_event_is_heard_within_a_second(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.until_heard()
                begun_s = time.monotonic()
                await ledger.append("a")
                batch = await subscription.next()
        assert batch == Batch((Event(1, Kind.JOB, "a"),))
        assert time.monotonic() - begun_s < 1.0

    run(scenario())


def test_progress_is_heard_and_no_event(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.until_heard()
                await ledger.progress("a", "b")
                assert await subscription.next() == Batch(progress=frozenset({"a", "b"}))
                assert await ledger.newest() == 0

    run(scenario())


def test_transaction_that_is_rolled_back_is_not_heard(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.until_heard()
                async with ledger.database.transaction() as connection:
                    await events.append(connection, Kind.JOB, "never")
                    await connection.rollback()
                await ledger.append("a")
                batches = await heard(subscription, tells_of("a"))
        assert not any(tells_of("never")(batch) for batch in batches)

    run(scenario())


def test_next_returns_nothing_when_nothing_changed_in_time(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, _):
            with listening.subscribe() as subscription:
                assert not await subscription.next(0.05)

    run(scenario())


def test_subscription_that_is_not_read_holds_each_subject_once_in_order():
    async def scenario() -> Batch:
        subscription = Subscription()
        for number in range(1, 3001):
            subscription.put(Notice(number, Kind.JOB, f"job-{number % 3}"))
            subscription.put(Notice(None, Kind.JOB, "job-1"))
        subscription.put(Notice(3001, Kind.OUTPUT, "job-1"))
        return await subscription.next()

    batch = run(scenario())
    assert batch.events == (
        Event(2998, Kind.JOB, "job-1"),
        Event(2999, Kind.JOB, "job-2"),
        Event(3000, Kind.JOB, "job-0"),
        Event(3001, Kind.OUTPUT, "job-1"),
    )
    assert batch.progress == {"job-1"}


def test_subscription_that_is_behind_with_too_many_subjects_is_cut():
    async def scenario() -> tuple[Batch, Batch]:
        subscription = Subscription(at_most=10)
        for number in range(1, 15):
            subscription.put(Notice(number, Kind.JOB, f"job-{number}"))
        first = await subscription.next()
        subscription.put(Notice(15, Kind.JOB, "a"))
        return first, await subscription.next()

    first, second = run(scenario())
    assert first.is_cut
    assert [event.id for event in first.events] == [12, 13, 14]
    assert second == Batch((Event(15, Kind.JOB, "a"),))


def test_subscription_that_ended_is_told_nothing(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            await ledger.until_heard()
            with listening.subscribe() as ended:
                pass
            with listening.subscribe() as subscription:
                await ledger.append("a")
                await heard(subscription, tells_of("a"))
            assert not await ended.next(0)

    run(scenario())


def test_listener_is_called_until_it_is_removed(database_conninfo: str):
    async def scenario() -> list[tuple[Kind, str]]:
        calls: list[tuple[Kind, str]] = []
        async with listening_to(database_conninfo) as (listening, ledger):
            remove = listening.add_listener(lambda kind, subject: calls.append((kind, subject)))
            with listening.subscribe() as subscription:
                await ledger.append("a")
                await ledger.progress("p")
                await ledger.append("b", kind=Kind.OUTPUT)
                await heard(subscription, tells_of("b"))
                remove()
                await ledger.append("c")
                await heard(subscription, tells_of("c"))
        return calls

    assert run(scenario()) == [(Kind.JOB, "a"), (Kind.OUTPUT, "b")]


def test_event_committed_before_the_first_connection_is_heard(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:  # ``run`` has not begun yet
                await ledger.append("a")
                batches = await heard(subscription, tells_of("a"))
        assert not batches[0].is_cut

    run(scenario())


def test_foreign_notification_is_passed_over(database_conninfo: str):
    async def scenario() -> None:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.until_heard()
                for payload in ("", "nonsense", "x job a", "1 thing a", "1 job a b"):
                    async with await psycopg.AsyncConnection.connect(
                        database_conninfo
                    ) as connection:
                        await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
                await ledger.append("a")
                batch = await subscription.next()
        assert batch == Batch((Event(1, Kind.JOB, "a"),))

    with capture_logs() as logs:
        run(scenario())
    assert [line["event"] for line in logs].count("Notification not understood") == 5


def test_events_committed_while_cut_off_are_heard_once_in_order(database_conninfo: str):
    subjects = [f"job-{n}" for n in range(2500)]  # more than are read at once
    calls: list[str] = []

    async def scenario() -> list[Batch]:
        async with listening_to(database_conninfo) as (listening, ledger):
            listening.add_listener(lambda _, subject: calls.append(subject))
            with listening.subscribe() as subscription:
                await ledger.append("before")
                batches = await heard(subscription, tells_of("before"))
                async with ledger.cut_off():
                    rows = [{"kind": Kind.JOB, "subject": subject} for subject in subjects]
                    async with ledger.database.transaction() as connection:
                        await connection.execute(insert(tables.events), rows)
                    await ledger.append("job-0")
                    assert not await subscription.next(0.05)
                await ledger.until_heard()
                await ledger.append("after")
                return batches + await heard(subscription, tells_of("after"))

    with capture_logs() as logs:
        batches = run(scenario())
    assert numbers(batches) == sorted(set(numbers(batches)))
    assert calls == ["before", *subjects[1:], "job-0", "after"]
    assert not any(batch.is_cut for batch in batches)
    told = [line["event"] for line in logs]
    assert told == ["Events are not heard for now", "Events are heard again"]


def test_events_forgotten_while_cut_off_cut_the_subscription(database_conninfo: str):
    async def scenario() -> list[Batch]:
        async with listening_to(database_conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.append("before")
                await heard(subscription, tells_of("before"))
                async with ledger.cut_off():
                    await ledger.append("lost")
                    await ledger.append("the newest, which stays")
                    async with ledger.database.transaction() as connection:
                        await events.forget(connection, timedelta(0))
                    await ledger.append("kept")
                batches = await heard(subscription, lambda batch: batch.is_cut)
                await ledger.append("after")
                return batches + await heard(subscription, tells_of("after"))

    batches = run(scenario())
    assert batches[0].is_cut
    assert tells_of("after")(batches[-1])


@pytest.mark.slow
def test_connection_that_says_nothing_is_given_up_and_nothing_is_missed(database_conninfo: str):
    async def scenario() -> None:
        options = {"check_every_s": 0.1, "check_within_s": 0.2}
        async with listening_to(database_conninfo, **options) as (listening, ledger):
            with listening.subscribe() as subscription:
                pid = await ledger.until_heard()
                os.kill(pid, signal.SIGSTOP)
                try:
                    await ledger.append("a")
                    await heard(subscription, tells_of("a"))
                finally:
                    os.kill(pid, signal.SIGCONT)

    run(scenario())


@pytest.mark.slow
def test_server_that_is_killed_and_comes_back_is_heard_again(server: DatabaseServer):
    conninfo = server.new_database()
    migrate(conninfo)

    async def scenario() -> list[Batch]:
        async with listening_to(conninfo) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.append("before")
                batches = await heard(subscription, tells_of("before"))
                await asyncio.to_thread(server.kill)
                assert not await subscription.next(0.5)
                await asyncio.to_thread(server.start)
                with suppress(DatabaseUnavailable):  # connections that were kept are found dead
                    await ledger.append("after")
                await ledger.append("after")
                return batches + await heard(subscription, tells_of("after"))

    batches = run(scenario())
    assert numbers(batches) == sorted(set(numbers(batches)))
    assert not any(batch.is_cut for batch in batches)


@pytest.mark.slow
def test_server_that_is_stopped_for_a_while_is_heard_again(server: DatabaseServer):
    conninfo = server.new_database()
    migrate(conninfo)

    async def scenario() -> None:
        options = {"check_every_s": 0.1, "check_within_s": 0.2}
        async with listening_to(conninfo, **options) as (listening, ledger):
            with listening.subscribe() as subscription:
                await ledger.until_heard()
                server.freeze()
                assert not await subscription.next(1.0)
                server.thaw()
                await ledger.append("a")
                await heard(subscription, tells_of("a"))

    run(scenario())


def test_run_ends_at_once_when_cancelled(database_conninfo: str):
    async def scenario() -> float:
        async with listening_to(database_conninfo) as (_, ledger):
            await ledger.until_heard()
            begun_s = time.monotonic()
        took_s = time.monotonic() - begun_s
        other = Ledger(database_conninfo)
        await other.until_nobody_hears()
        await other.database.close()
        return took_s

    assert run(scenario()) < 1.0
