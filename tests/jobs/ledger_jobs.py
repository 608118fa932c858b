"""Jobs for tests: a ledger with a recording in it, and a runner that does as it is told."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import func, select, text

from stemset.dispatch.connection import Connection
from stemset.dispatch.threads import Threads
from stemset.jobs import accepting, ledger, recordings, tables
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, Request
from stemset.jobs.recordings import Found
from stemset.jobs.task import Separating, Workshop
from stemset.orders.messages import Failure, Order, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.runner import MakeLinks
from stemset.storage.keys import MANIFEST, parse_attempt_folder
from stemset.storage.outputs import Manifest
from stemset.storage.store import Store

Result = TypeVar("Result")
Act = Callable[["ToldRunner", Order], Awaitable[Failure | None]]

SHA256 = "ab" * 32
OTHER_SHA256 = "cd" * 32
FILES = {"vocals.flac": b"v" * 3000, "drums.flac": b"d" * 2000}
REQUEST = Request(
    sha256=SHA256,
    filename="take.wav",
    input_key="inputs/band/take.wav",
    profile="band",
    output_name="take_abababab",
    strategy_name="two",
    strategy={"_": "spleeter-2stems", "vocals": "vocals"},
    output={"format": "flac", "bitrate": None, "depth": None},
    fingerprint="ef" * 32,
    queue=Queue.LOCAL,
    owner="local",
)
OTHER = replace(REQUEST, sha256=OTHER_SHA256)


def in_ledger(conninfo: str, scenario: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run a scenario in a ledger that knows two recordings."""

    async def run() -> Result:
        database = Database(conninfo)
        try:
            async with database.transaction() as connection:
                for sha256 in (SHA256, OTHER_SHA256):
                    await recordings.note(connection, _found(sha256))
            async with asyncio.timeout(30):
                return await scenario(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def accept(database: Database, request: Request = REQUEST) -> Job:
    async with database.transaction() as connection:
        job, _ = await accepting.accept(connection, request)
    return job


async def look(database: Database, job_id: str) -> Job:
    async with database.reading() as connection:
        return await ledger.get(connection, job_id)


async def count(database: Database, table: str) -> int:
    async with database.reading() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608 - a literal


async def outcomes(database: Database, job_id: str) -> list[str | None]:
    """How a job's attempts ended, in order."""
    each = tables.attempts.c
    query = select(each.outcome).where(each.job_id == job_id).order_by(each.number)
    async with database.reading() as connection:
        return list((await connection.execute(query)).scalars())


async def queued_entries(database: Database) -> int:
    async with database.reading() as connection:
        query = select(func.count()).select_from(text("procrastinate_jobs"))
        return (await connection.execute(query.where(text("status = 'todo'")))).scalar_one()


def leave_whole(store: Store, order: Order) -> None:
    """Leave what a whole attempt leaves."""
    folder = parse_attempt_folder(order.output.prefix)
    files = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in FILES.items()
    }
    stem = {"stem_url": "vocals.flac", "waveform_url": "x", "companion_urls": [], "peaks_urls": []}
    metadata = {
        "fingerprint": order.fingerprint,
        "recording": {"sha256": order.input.sha256, "duration_s": 2.5},
        "stems": {"vocals": stem, "drums": stem},
        "files": files,
        "timings": {"wall_s": 1.5},
    }
    for name, data in FILES.items():
        store.write(folder.key(name), data)
    store.create(folder.key(MANIFEST), Manifest(order.job_id, order.attempt, metadata).to_bytes())


@dataclass
class ToldRunner:
    """Carries each order out by the next of some acts, the last one again and again.

    Attributes:
        store: Where stems go.
        acts: What is done; a failure is reported.
        orders: What was ordered.
        cancelled: Jobs that were cancelled.
    """

    store: Store
    acts: Sequence[Act]
    orders: list[Order] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    async def run(
        self,
        order: Order,
        make_links: MakeLinks | None = None,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[Report]:
        act = self.acts[min(len(self.orders), len(self.acts) - 1)]
        self.orders.append(order)
        yield _report(order, 0, Status.ACCEPTED, phase=Phase.LOADING)
        yield _report(order, 1, Status.PROGRESS, phase=Phase.SEPARATING, progress=0.5)
        failure = await act(self, order)
        status = Status.ERROR if failure else Status.COMPLETE
        yield _report(order, 2, status, error=failure, progress=0.9)

    async def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    async def close(self) -> None:
        """Nothing is held."""


async def succeed(runner: ToldRunner, order: Order) -> None:
    leave_whole(runner.store, order)


async def hang(_runner: ToldRunner, _order: Order) -> None:
    await asyncio.Event().wait()


def separating(
    database: Database, store: Store, *acts: Act, **workshop: Any
) -> tuple[Separating, ToldRunner]:
    """The task, and the runner that it has."""
    runner = ToldRunner(store, acts)
    connection = Connection(store, runner, pauses_s=(0.01, 0.02))
    made = Workshop(
        database=database,
        threads=Threads(4),
        connections={Queue.LOCAL: connection},
        max_duration_s=60.0,
        **workshop,
    )
    return Separating(made), runner


def _found(sha256: str) -> Found:
    return Found(
        sha256=sha256,
        filename="take.wav",
        bytes=1000,
        duration_s=2.5,
        input_key="inputs/band/take.wav",
        is_proven=False,
        owner="local",
    )


def _report(order: Order, seq: int, status: Status, **facts: Any) -> Report:
    return Report(job_id=order.job_id, attempt=order.attempt, seq=seq, status=status, **facts)
