import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from scripted_worker import (
    ACCEPTED,
    COMPLETE,
    SEPARATING,
    WAKING,
    ScriptedWorker,
    failed,
    folder_of,
)
from wishes import WISH

from stemset.dispatch.attempt import follow
from stemset.dispatch.connection import Connection
from stemset.dispatch.standing import Whole
from stemset.dispatch.threads import Threads
from stemset.errors import (
    ComputingCrashed,
    CorruptAudio,
    InvalidOrder,
    NetworkFailed,
    StorageUnavailable,
    WorkerUnreachable,
)
from stemset.orders.messages import Failure, Report
from stemset.storage.exchange import Wanted
from stemset.storage.keys import MANIFEST, AttemptFolder
from stemset.storage.store import Store

LIMIT_S = 10


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, and what was passed on."""

    outcome: Whole | Failure
    reports: list[Report]

    @property
    def code(self) -> str | None:
        return self.outcome.code if isinstance(self.outcome, Failure) else None


class LateStore:
    """A store in which the stems appear when a manifest was asked for twice in vain."""

    def __init__(self, store: Store, worker: ScriptedWorker) -> None:
        self._store = store
        self._worker = worker
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(self, key: str) -> bytes:
        self._asked += 1
        if self._asked == 3:
            self._worker.finish()
        return self._store.read(key)


async def hold(begun: asyncio.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


def run(connection: Connection) -> Ended:
    reports: list[Report] = []

    async def attempt() -> Whole | Failure:
        threads = Threads()
        try:
            return await follow(connection, WISH, folder_of(1), threads, on_report=reports.append)
        finally:
            threads.close(LIMIT_S)

    return Ended(asyncio.run(asyncio.wait_for(attempt(), LIMIT_S)), reports)


def test_attempt_that_leaves_a_manifest_is_whole(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, SEPARATING, worker.finish, COMPLETE]

    ended = run(connection)

    assert isinstance(ended.outcome, Whole)
    assert (ended.outcome.folder, ended.outcome.is_published) == (folder_of(1), False)
    assert ended.reports == [ACCEPTED, SEPARATING, COMPLETE]


def test_report_that_is_repeated_is_passed_on_once(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [WAKING, WAKING, ACCEPTED, ACCEPTED, SEPARATING, worker.finish, COMPLETE]

    assert run(connection).reports == [WAKING, ACCEPTED, SEPARATING, COMPLETE]


def test_attempt_that_fails_and_is_whole_is_whole(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, worker.finish, failed(NetworkFailed("late"))]

    assert isinstance(run(connection).outcome, Whole)


def test_attempt_that_fails_says_why(connection: Connection, worker: ScriptedWorker) -> None:
    worker.script = [ACCEPTED, failed(CorruptAudio("no cable"))]

    outcome = run(connection).outcome

    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error(), CorruptAudio)
    assert (outcome.detail, outcome.retryable) == ("no cable", False)


def test_order_that_is_refused_is_a_failure(connection: Connection, worker: ScriptedWorker) -> None:
    worker.script = [InvalidOrder("no")]

    assert run(connection).code == "order_invalid"


def test_attempt_without_a_last_report_has_crashed(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, SEPARATING]

    assert run(connection).code == "computing_crashed"


def test_attempt_that_lies_is_corrupt(connection: Connection, worker: ScriptedWorker) -> None:
    worker.script = [ACCEPTED, COMPLETE]

    assert run(connection).code == "object_corrupt"


def test_manifest_that_comes_after_the_report_is_waited_for(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, COMPLETE]
    late: Any = LateStore(connection.store, worker)

    assert isinstance(run(replace(connection, store=late)).outcome, Whole)


@pytest.mark.parametrize("end", [failed(ComputingCrashed("then")), COMPLETE])
@pytest.mark.parametrize("before", [[], [WAKING]])
def test_attempt_that_had_ended_before_is_passed_over(
    connection: Connection, worker: ScriptedWorker, before: list[Report], end: Report
) -> None:
    worker.script = [*before, end]

    assert run(connection).code == "attempt_used"


def test_attempt_that_had_ended_whole_before_is_whole(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [worker.finish, COMPLETE]

    assert isinstance(run(connection).outcome, Whole)


def test_worker_that_is_gone_after_its_work_left_it_whole(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, worker.finish, WorkerUnreachable("gone")]

    assert isinstance(run(connection).outcome, Whole)


def test_worker_that_is_gone_before_is_an_error(
    connection: Connection, worker: ScriptedWorker
) -> None:
    worker.script = [ACCEPTED, WorkerUnreachable("gone")]

    with pytest.raises(WorkerUnreachable):
        run(connection)


def test_manifest_that_cannot_be_read_makes_nothing_whole(
    connection: Connection, worker: ScriptedWorker
) -> None:
    connection.store.create(folder_of(1).key(MANIFEST), b"no json")
    worker.script = [ACCEPTED, failed(NetworkFailed("no"))]

    assert run(connection).code == "network_failed"


def test_attempt_that_nobody_follows_any_more_is_joined(
    connection: Connection, worker: ScriptedWorker
) -> None:
    working = asyncio.Event()
    worker.script = [ACCEPTED, lambda: hold(working)]

    async def give_up() -> None:
        threads = Threads()
        task = asyncio.create_task(
            follow(connection, WISH, folder_of(1), threads, on_report=lambda _: None)
        )
        await asyncio.wait_for(working.wait(), LIMIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert threads.close(LIMIT_S)

    asyncio.run(give_up())
    worker.script = [SEPARATING, worker.finish, COMPLETE]

    assert isinstance(run(connection).outcome, Whole)
    first, second = worker.orders
    assert first.model_copy(update={"deadline": second.deadline}) == second


@dataclass(frozen=True)
class NamedLinks:
    """Links that say what they are for."""

    input_key: str
    folder: AttemptFolder
    abandoned: ClassVar[list[str]] = []

    def make(self, wanted: Sequence[Wanted]) -> Sequence[str]:
        return [f"https://bucket.example/{each.name or self.input_key}" for each in wanted]

    def abandon(self) -> None:
        self.abandoned.append(self.folder.name)
        raise StorageUnavailable("gone")


def test_attempt_with_links_holds_one_and_makes_others(
    connection: Connection, worker: ScriptedWorker
) -> None:
    NamedLinks.abandoned.clear()
    worker.script = [ACCEPTED, worker.finish, COMPLETE]

    run(replace(connection, links=NamedLinks))

    assert worker.orders[0].input.url == "https://bucket.example/inputs/far/take.wav"
    assert worker.links == [["https://bucket.example/vocals.flac"]]
    assert NamedLinks.abandoned == []


def test_attempt_with_links_that_failed_drops_half_uploads_if_it_can(
    connection: Connection, worker: ScriptedWorker
) -> None:
    NamedLinks.abandoned.clear()
    worker.script = [ACCEPTED, failed(NetworkFailed("no"))]

    ended = run(replace(connection, links=NamedLinks))

    assert NamedLinks.abandoned == ["3f2a9c01-1"]
    assert ended.code == "network_failed"
