"""A whole service on one stage: a ledger, its queue, a store, processes and a worker.

All is real but for two: whoever plays decides which process takes its next step, and the worker
computes nothing. A process that is killed is thrown away in the middle of what it does, at any
await or at a crash point; what it had not committed is rolled back. Time passes by moving all that
was written further into the past.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Entry
from procrastinate.jobs import Status as EntryStatus
from sqlalchemy import DateTime
from standing_stems import STEMS, World, found, manifest_of

from stemset.dispatch.connection import Connection
from stemset.dispatch.threads import Threads
from stemset.errors import (
    AttemptUsed,
    ComputingCrashed,
    DatabaseUnavailable,
    InputChanged,
    Interrupted,
    ObjectExists,
    StorageUnavailable,
    WorkerUnreachable,
)
from stemset.jobs import tables
from stemset.jobs.database import Database
from stemset.jobs.events import Kind
from stemset.jobs.job import Queue
from stemset.jobs.queue import QueueAtWork
from stemset.jobs.recovery import Recovery, recover_alone
from stemset.jobs.task import Again, Separating, Workshop
from stemset.orders.messages import Failure, Order, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.runner import MakeLinks
from stemset.storage.keys import CLAIM, MANIFEST, parse_attempt_folder
from stemset.storage.outputs import Manifest
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

Key = tuple[str, int]
"""A job's id and an attempt's number."""

RECORDINGS = (found(1), found(2))
"""All that there are."""

CRASH_POINTS = (
    "api:accepted",
    "api:dispatching",
    "process:ordered",
    "api:finalising",
    "api:published",
    "api:completed",
    "api:callback",
    "removal:removed",
    "queue:ending",
)
_CRASHING = ("jobs.accepting", "jobs.task", "jobs.settlement", "jobs.hints", "jobs.removal")
_OF_PROCESSES = ("stemset.jobs.", "stemset.dispatch.")
_QUIET_WITHIN_S = 120.0
_SILENT = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
_QUEUE_MOMENTS = (
    ("procrastinate_jobs", ("scheduled_at",)),
    ("procrastinate_workers", ("last_heartbeat",)),
    ("procrastinate_events", ("at",)),
)


class Deed(StrEnum):
    """How a worker comes to the end of an attempt."""

    WHOLE = "whole"
    UNHEARD = "whole, and its end is never told"
    LIE = "success is said, and nothing stands"
    HALF = "success is said, and a stem is missing"
    REPLACED = "whole, and a stem replaced by other bytes"
    CRASH = "its computing process crashes"
    INTERRUPTED = "it is told to stop"
    SILENCE = "its stream ends without a last report"
    INPUT_CHANGED = "the recording is another"


VALID = (Deed.WHOLE, Deed.UNHEARD)
_FAILURES = {
    Deed.CRASH: Failure.of(ComputingCrashed("x")),
    Deed.INTERRUPTED: Failure.of(Interrupted("x")),
    Deed.INPUT_CHANGED: Failure.of(InputChanged("x")),
}
_USED = Failure.of(AttemptUsed("begun before"))


class Killed(BaseException):
    """A process is no more; nothing in it may catch this."""


class ShakyStore:
    """A store that can go away, at once or in the middle of what somebody does.

    Attributes:
        answers: How many calls it answers before it goes away; None for all.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answers: int | None = None

    def __getattr__(self, name: str) -> Any:
        if self.answers is not None:
            if self.answers == 0:
                raise StorageUnavailable("The store is away.")
            self.answers -= 1
        return getattr(self._store, name)


class Worker:
    """The worker of all processes: it claims, joins and remembers nothing, as the real one.

    Attributes:
        working: Attempts that it is at.
        frozen: Attempts that it was thought dead over, and can still write to; whoever was frozen
            with it hears of their ends.
        is_away: Whether it takes no order.
        whole: Attempts whose stems it has left as they must be.
    """

    def __init__(self, store: Store, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch
        self.working: dict[Key, Order] = {}
        self.frozen: dict[Key, Order] = {}
        self.is_away = False
        self.whole: dict[Key, Order] = {}
        self._streams: dict[Key, list[asyncio.Future[Report | None]]] = {}

    def begin(self, order: Order) -> Report | None:
        """Claim or join an attempt; how it had ended, if it had."""
        key = order.job_id, order.attempt
        if key in self.working:
            return None
        folder = parse_attempt_folder(prefix := order.output.prefix)
        try:
            if MANIFEST in {info.key.rpartition("/")[2] for info in self._store.list_below(prefix)}:
                return _report(order, Status.COMPLETE)
            self._store.create(folder.key(CLAIM), f"{time.monotonic_ns()}".encode())
        except ObjectExists:
            return _report(order, Status.ERROR, _USED)
        except StorageUnavailable as error:
            return _report(order, Status.ERROR, Failure.of(error))
        self.working[key] = order
        return None

    def stream(self, order: Order) -> "asyncio.Future[Report | None]":
        """The last report, once it comes; None for a stream that breaks."""
        last: asyncio.Future[Report | None] = asyncio.get_running_loop().create_future()
        self._streams.setdefault((order.job_id, order.attempt), []).append(last)
        return last

    def ends(self, key: Key, deed: Deed) -> None:
        """Come to the end of an attempt that it is at, or was thought dead over."""
        order = self.frozen.pop(key) if key in self.frozen else self.working.pop(key)
        try:
            self._leave(order, deed)
        except StorageUnavailable as error:
            last = _report(order, Status.ERROR, Failure.of(error))
        else:
            last = _last(order, deed)
        if deed is not Deed.UNHEARD:
            self._tell(key, last)

    def is_thought_dead(self, *, comes_back: bool) -> None:
        """All its streams break; whoever orders again meets one that knows nothing."""
        working, self.working = self.working, {}
        if comes_back:
            self.frozen |= working
        for key, order in working.items():
            self._tell(key, _report(order, Status.ERROR, _USED))
        for key in list(self._streams):
            self._tell(key, None)

    def freezes(self, key: Key) -> None:
        """Freeze over one attempt together with whoever follows it; others begin it in vain."""
        self.frozen[key] = self.working.pop(key)

    def _tell(self, key: Key, last: Report | None) -> None:
        for each in self._streams.pop(key, ()):
            if not each.done():
                each.set_result(last)

    def _leave(self, order: Order, deed: Deed) -> None:
        if deed not in {*VALID, Deed.HALF, Deed.REPLACED}:
            return
        folder = parse_attempt_folder(order.output.prefix)
        (recording,) = [each for each in RECORDINGS if each.sha256 == order.input.sha256]
        manifest = manifest_of(recording, job_id=order.job_id, fingerprint=order.fingerprint)
        files = {f"{name}.wav": data for name, data in STEMS.items()}
        files |= {f"{name}.png": b"picture" for name in STEMS}
        etags: dict[str, str] = {}
        for name, data in files.items():
            self._scratch.write_bytes(data)
            etags[name] = self._store.upload(self._scratch, folder.key(name)) or ""
        if deed is Deed.HALF:
            self._store.delete([folder.key("bass.wav")])
        elif deed is Deed.REPLACED:
            self._store.write(folder.key("bass.wav"), bytes(len(files["bass.wav"])))
        made = Manifest(order.job_id, order.attempt, manifest.metadata, etags)
        self._store.create(folder.key(MANIFEST), made.to_bytes())
        if deed in VALID:
            self.whole[order.job_id, order.attempt] = order


class Runner:
    """How one process orders from the worker.

    Attributes:
        at: The attempt whose end it waits for.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.at: Key | None = None

    async def run(
        self,
        order: Order,
        make_links: MakeLinks | None = None,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[Report]:
        if self._worker.is_away:
            raise WorkerUnreachable("The worker is away.")
        yield _report(order, Status.ACCEPTED, seq=0, phase=Phase.LOADING)
        if last := self._worker.begin(order):
            yield last
            return
        for seq, progress in ((2, 0.5), (2, 0.5), (1, 0.1)):  # one twice, and one too late
            facts = {"phase": Phase.SEPARATING, "progress": progress}
            yield _report(order, Status.PROGRESS, seq=seq, **facts)
        stream = self._worker.stream(order)
        self.at = order.job_id, order.attempt
        try:
            last = await stream
        finally:
            self.at = None
        if last is not None:
            yield last

    async def cancel(self, job_id: str) -> None:
        for key in [each for each in self._worker.working if each[0] == job_id]:
            self._worker.ends(key, Deed.INTERRUPTED)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Process:
    """A process of the service.

    Attributes:
        task: What it does with a job.
        runner: Its way to the worker.
        worker_id: The name under which it shows that it lives.
        entry: The entry that it has taken.
        running: What it does with it.
    """

    task: Separating
    runner: Runner
    worker_id: int
    entry: Entry | None = None
    running: "asyncio.Task[None] | None" = None


@dataclass
class Stage:
    """All that a play needs.

    Attributes:
        database: The ledger.
        folder: Where the store lies.
        app: The queue.
        processes: Those that live, by their place.
        crashes_at: The crash point at which the next process dies.
        clock_off: How far the clock of the processes is ahead of the database's.
    """

    database: Database
    folder: Path
    app: App
    processes: dict[int, Process] = field(default_factory=dict[int, Process])
    crashes_at: str | None = None
    clock_off: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.sound_store = open_store(StoreSettings("folder", str(self.folder / "store")))
        self.shaky = ShakyStore(self.sound_store)
        self.store = cast("Store", self.shaky)
        self.worker = Worker(self.store, self.folder / "file")
        self.threads = Threads(4)
        self.world = World(self.database, self.sound_store, self.threads)

    async def starts(self, place: int) -> None:
        """Start a process, if there is none in its place."""
        if place in self.processes:
            return
        runner = Runner(self.worker)
        connection = Connection(self.store, runner, pauses_s=(0.001, 0.001))
        shop = Workshop(self.database, self.threads, {Queue.LOCAL: connection}, 60.0)
        worker_id = await self.app.job_manager.register_worker()
        self.processes[place] = Process(Separating(shop), runner, worker_id)

    async def dies(self, place: int) -> None:
        """Kill a process."""
        if (process := self.processes.pop(place, None)) and process.running:
            process.running.cancel()
            await asyncio.wait({process.running})

    async def takes(self, place: int) -> None:
        """Have a process take the next entry, if it has none and there is one."""
        process = self.processes[place]
        if process.running is None:
            manager = self.app.job_manager
            process.entry = await manager.fetch_job([Queue.LOCAL], process.worker_id)
            if process.entry is not None:
                job_id = str(process.entry.task_kwargs["job_id"])
                process.running = asyncio.create_task(process.task.run(job_id))
                await self.settles()

    async def settles(self) -> None:
        """Let every process go on until it waits for the worker, or has done its entry."""
        async with asyncio.timeout(_QUIET_WITHIN_S):
            for place, process in list(self.processes.items()):
                if running := process.running:
                    await _until(lambda r=running, p=process: r.done() or p.runner.at is not None)
                    if running.done():
                        await self._ends(place, process, running)
            await _until(lambda: not self.database.connections_used)  # progress that is told

    async def hears(self, job_ids: Collection[str], ended: Collection[str]) -> set[Key]:
        """Let every process look at jobs that have changed.

        Args:
            job_ids: The jobs.
            ended: Those of them that have ended, which are let go.

        Returns:
            The attempts that are let go by now.
        """
        following = [
            (process, process.running, process.runner.at)
            for process in self.processes.values()
            if process.running and process.runner.at and process.runner.at[0] in ended
        ]
        for process in self.processes.values():
            for each in job_ids:
                process.task.hear(Kind.JOB, each)
        async with asyncio.timeout(_QUIET_WITHIN_S):
            for process, running, at in following:
                await _until(lambda p=process, r=running, at=at: r.done() or p.runner.at != at)
        await self.settles()
        return {at for _, _, at in following}

    async def is_silent(self, place: int | None) -> None:
        """Let the leases of the dead expire, and that of one that is frozen for a while."""
        await self._do(_SILENT)
        for each, process in self.processes.items():
            if each != place:
                await self.app.job_manager.update_heartbeat(process.worker_id)

    async def looks(self, place: int) -> None:
        """Have a process look for what was left behind."""
        process = self.processes[place]
        queue = cast("QueueAtWork", _Registered([process.worker_id]))
        await Recovery(self.database, queue, process.task).look()

    async def is_overtaken(self, key: Key) -> None:
        """Freeze what follows an attempt, and what computes it, until another has its entry."""
        following = [place for place, each in self.processes.items() if each.runner.at == key]
        place = following[0] if following else 1
        other = 1 - place
        self.worker.freezes(key)
        await self.starts(other)
        await self.is_silent(place)
        await self.looks(other)
        await self.takes(other)

    async def loses_power(self) -> None:
        """Kill every process at once, and start one that is alone."""
        for place in list(self.processes):
            await self.dies(place)
        await self.starts(0)
        await recover_alone(self.database)

    async def passes(self, hours: float) -> None:
        """Let time pass, or have the database's clock step back."""
        await _until(lambda: not self.database.connections_used)
        moments = [
            (each.name, [column.name for column in each.c if isinstance(column.type, DateTime)])
            for each in tables.metadata.sorted_tables
        ]
        await self._do(
            *(
                f"UPDATE {table} SET {each} = {each} - interval '{hours} h'"  # noqa: S608 - ours
                for table, columns in (*moments, *_QUEUE_MOMENTS)
                for each in columns
            )
        )
        for path in (self.folder / "store").rglob("*"):
            then = path.stat().st_mtime - hours * 3600
            os.utime(path, (then, then))
        for process in self.processes.values():
            await self.app.job_manager.update_heartbeat(process.worker_id)

    async def is_over(self) -> None:
        """Leave nothing behind."""
        self.crashes_at = None
        for place in list(self.processes):
            await self.dies(place)
        names = ", ".join(each.name for each in tables.metadata.sorted_tables)
        queue = "procrastinate_jobs, procrastinate_workers, procrastinate_events"
        await self._do(f"TRUNCATE {names}, {queue} RESTART IDENTITY CASCADE")
        self.threads.close(10)

    def may_crash(self, name: str) -> None:
        """Die here, if this is where it is to be."""
        if self.crashes_at == name:
            self.crashes_at = None
            raise Killed(name)

    async def _ends(self, place: int, process: Process, running: "asyncio.Task[None]") -> None:
        """Do with an entry what the queue does."""
        entry, process.running, process.entry = process.entry, None, None
        assert entry is not None
        assert entry.id is not None
        error = running.exception()
        try:
            if isinstance(error, Killed):
                raise error
            self.may_crash("queue:ending")
            if isinstance(error, Again):
                at = datetime.now(UTC) + timedelta(seconds=error.pause_s)
                await self.app.job_manager.retry_job_by_id_async(entry.id, at)
            elif error is not None:
                raise error
            else:
                ended = EntryStatus.SUCCEEDED
                await self.app.job_manager.finish_job_by_id_async(entry.id, ended, delete_job=True)
        except Killed:
            await self.dies(place)
        except ConnectorException as error:  # it is another's by now, which the queue bears
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise

    async def _do(self, *statements: str) -> None:
        """Do what no process does, and none can know of: it may stand in the way of another."""
        while True:
            with suppress(DatabaseUnavailable):
                async with self.database.transaction() as connection:
                    await connection.exec_driver_sql("; ".join(statements))
                return


@contextmanager
def stage(database: Database, folder: Path, app: App) -> Iterator[Stage]:
    """A stage whose processes crash where they are told to."""
    made = Stage(database, folder, app)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + made.clock_off

    with ExitStack() as patches:
        for module in (*_CRASHING, "dispatch.attempt"):
            patches.enter_context(patch(f"stemset.{module}.crash_point", made.may_crash))
        for name, module in list(sys.modules.items()):
            if name.startswith(_OF_PROCESSES) and hasattr(module, "datetime"):
                patches.enter_context(patch.object(module, "datetime", Clock))
        patches.enter_context(patch("stemset.jobs.recovery._STEADY_S", 0.0))
        yield made


async def open_queue(conninfo: str) -> App:
    """The queue's own way into its tables; whoever opens it closes it."""
    app = App(connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=2))
    await app.open_async()
    return app


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.001)


@dataclass(frozen=True)
class _Registered:
    """As much of the queue as recovery asks."""

    worker_ids: list[int]


def _last(order: Order, deed: Deed) -> Report | None:
    if deed is Deed.SILENCE:
        return None
    if deed in _FAILURES:
        return _report(order, Status.ERROR, _FAILURES[deed])
    return _report(order, Status.COMPLETE)


def _report(
    order: Order, status: Status, error: Failure | None = None, *, seq: int = 9, **facts: Any
) -> Report:
    return Report(
        job_id=order.job_id, attempt=order.attempt, seq=seq, status=status, error=error, **facts
    )
