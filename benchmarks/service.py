"""The service: starting, accepting, uploading, and where there are many jobs: listing, polling.

Everything is real and on loopback: `stemset serve` with the database that it makes itself, and a
load generator on another core.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar
from urllib.parse import quote

from figures import Bench
from http_load import (
    Answer,
    Connection,
    connected,
    per_second,
    percentile,
    timed,
)
from material import Song
from report import Row, at_least, at_most
from service_process import Service, Site, serving
from upload_forms import file_form, noise, take_form
from waiting import many_waiting

STARTS = 5
WARM_UP = 50
ACCEPTED = 500
STATUS_FOR_S = 5.0
STATUS_ROUNDS = 3
STATUS_CONNECTIONS = 16
UPLOADS = 200
UPLOAD_BYTES = 50_000_000
LEDGER_JOBS = 10_000
LEDGER_WAITING = 100
PAGE = 200
WARM_STARTS = 9
POLL_S = 0.005
SEPARATION_WITHIN_S = 60.0

Result = TypeVar("Result")

_BEGUN = {"separating", "encoding", "uploading"}


@dataclass(frozen=True)
class Rate:
    """Answers per second, and how they were counted."""

    value: float
    how: str


def service(bench: Bench) -> Iterator[Row]:
    """All figures of the service."""
    if sys.platform != "linux":
        print("  left out: cores and memory of a process are known on Linux alone")
        return
    site = Site(bench.scratch / "service")
    site.prepare()
    try:
        yield from starts(site)
        yield from accepting(site)
        yield from warm(bench, site)
        yield from uploading(site)
    finally:
        site.clear()


def load(bench: Bench) -> Iterator[Row]:
    """All figures of a ledger of many jobs: those that have ended, and those that wait."""
    if sys.platform != "linux":
        print("  left out: cores of a process are known on Linux alone")
        return
    site = Site(bench.scratch / "load")
    site.prepare()
    try:
        yield from ledger(site)
        site.clear()
        yield from run(many_waiting(site))
    finally:
        site.clear()


def starts(site: Site) -> Iterator[Row]:
    """From the start of the process until it takes calls, with and without a database there."""
    first, later = [], []
    for _ in range(STARTS):
        site.clear()
        for waits in (first, later):
            with serving(site) as running:
                waits.append(running.ready_s)
    for name, waits, limit_s in (("first time", first, 2.5), ("after", later, 1.5)):
        detail = f"median of {STARTS}, {min(waits):.2f} to {max(waits):.2f}"
        yield at_most(limit_s, f"Service start to /readyz, {name}", median(waits), "s", detail)


def accepting(site: Site) -> Iterator[Row]:
    """How long `POST /api/process` takes; nothing works the jobs off."""
    with serving(site, "--no-compute") as running:
        took = run(accept_all(running))
    detail = f"{len(took)} new jobs, one at a time; median {1000 * median(took):.1f} ms"
    yield at_most(20, "Accepting a job, p95", 1000 * percentile(took, 0.95), "ms", detail)


async def accept_all(running: Service) -> list[float]:
    """Have many jobs accepted, each under a name of its own."""
    form = take_form(0, 2_000_000, noise())
    async with connected(running.port) as connection:
        _ = (await connection.upload("/api/upload", form)).json

        def accept(number: int) -> Callable[[], Awaitable[Answer]]:
            order = {"profile_name": "band", "filename": form.filename}
            order["output_name"] = f"accepted-{number}"
            return lambda: connection.post("/api/process", order)

        return (await timed([accept(n) for n in range(WARM_UP + ACCEPTED)]))[WARM_UP:]


def warm(bench: Bench, site: Site) -> Iterator[Row]:
    """From `POST /api/process` to the begin of the separation, the network being loaded."""
    site.clear()
    songs = [bench.song(Song(20 + number, 44_100, 16)) for number in range(WARM_STARTS + 1)]
    with serving(site) as running:
        waits = [run(separation_start(running, song)) for song in songs][1:]
    for song in songs:
        song.unlink()
    detail = f"median of {len(waits)} jobs, {1000 * min(waits):.0f} to {1000 * max(waits):.0f}"
    yield at_most(300, "POST to separation, warm", 1000 * median(waits), "ms", detail)


async def separation_start(running: Service, song: Path) -> float:
    """Upload a song, order it, ask again and again how far it is, and wait for its end."""
    async with connected(running.port) as connection:
        _ = (await connection.upload("/api/upload", file_form(song))).json
        begun = time.perf_counter()
        order = {"profile_name": "band", "filename": song.name}
        job_id = (await connection.post("/api/process", order)).json["job_id"]
        await until(connection, job_id, lambda status: status["phase"] in _BEGUN)
        waited = time.perf_counter() - begun
        await until(connection, job_id, lambda status: status["status"] == "complete")
    return waited


async def until(
    connection: Connection, job_id: str, holds: Callable[[dict[str, object]], bool]
) -> None:
    """Poll a job until something is so."""
    limit = time.perf_counter() + SEPARATION_WITHIN_S
    while True:
        status = (await connection.get(f"/api/jobs/{job_id}/status")).json
        if holds(status) or status["status"] == "complete":
            return
        if status["status"] == "error" or time.perf_counter() > limit:
            raise SystemExit(f"The job did not go as it should: {status}")
        await asyncio.sleep(POLL_S)


def uploading(site: Site) -> Iterator[Row]:
    """Many uploads at once, and the memory of the process that takes them."""
    site.clear()
    with serving(site, "--no-compute") as running:
        before_mb = running.peak_mb()
        running.forget_peak()
        begun = time.perf_counter()
        taken = run(upload_all(running))
        took_s = time.perf_counter() - begun
        peak_mb = running.peak_mb()
    rate = taken * UPLOAD_BYTES / 1e6 / took_s
    detail = f"{before_mb:.0f} MB before; {taken} taken in {took_s:.0f} s, {rate:.0f} MB/s"
    sizes = f"{UPLOADS} × {UPLOAD_BYTES / 1e6:.0f} MB"
    yield at_most(300, f"API's memory, {sizes} at once", peak_mb, "MB", detail)
    yield at_least(UPLOADS, "Of these uploads taken", taken, "", "the others were refused")


async def upload_all(running: Service) -> int:
    """Send different files over a connection each, all at once. Returns how many were taken."""
    samples = noise()

    async def one(number: int) -> bool:
        async with connected(running.port) as connection:
            form = take_form(number, UPLOAD_BYTES, samples)
            answer = await connection.upload("/api/upload", form)
        return answer.status < 300  # noqa: PLR2004 - where success ends

    return sum(await asyncio.gather(*(one(number) for number in range(UPLOADS))))


def ledger(site: Site) -> Iterator[Row]:
    """Listing and polling where there are many jobs."""
    site.clear()
    ours, theirs = two_cores()
    with serving(site, "--no-compute", cores=theirs) as running:
        running.fill(LEDGER_JOBS, waiting=LEDGER_WAITING)
        with on_cores(ours):
            yield from listing(running)
            together = polling(running)
            running.move_database(ours)
            alone = polling(running)
    detail = f"{alone.how}; the database on the load's core"
    yield at_least(1000, "Status requests, API on one core", alone.value, "/s", detail)
    yield Row("The same, database on that core too", together.value, "/s", detail=together.how)


def listing(running: Service) -> Iterator[Row]:
    """Pages of the list of jobs, from the newest to the oldest."""
    took, job_ids = run(walk(running))
    if len(job_ids) != LEDGER_JOBS:
        raise SystemExit(f"{len(job_ids)} jobs were listed, not {LEDGER_JOBS}.")
    detail = f"all {len(took)} pages of {PAGE}, one after another; median {median(took):.1f} ms"
    yield at_most(100, f"A page of {LEDGER_JOBS:,} jobs, p95", percentile(took, 0.95), "ms", detail)


async def walk(running: Service) -> tuple[list[float], list[str]]:
    """List all jobs. Returns how long each page took, in milliseconds, and the jobs' ids."""
    took: list[float] = []
    job_ids: list[str] = []
    path = f"/api/jobs?limit={PAGE}"
    async with connected(running.port) as connection:
        _ = (await connection.get(path)).json  # connects to the database
        cursor = ""
        while cursor is not None:
            begun = time.perf_counter()
            page = (await connection.get(path + cursor)).json
            took.append(1000 * (time.perf_counter() - begun))
            job_ids += [job["job_id"] for job in page["jobs"]]
            cursor = page["next_cursor"] and f"&cursor={quote(page['next_cursor'])}"
    return took, job_ids


def polling(running: Service) -> Rate:
    """How many status requests are answered, as pages make them for jobs of their own."""
    _, job_ids = run(walk(running))
    paths = [f"/api/jobs/{job_id}/status" for job_id in job_ids[::20]]
    rates = [
        run(per_second(running.port, paths, connections=STATUS_CONNECTIONS, for_s=STATUS_FOR_S))
        for _ in range(STATUS_ROUNDS)
    ]
    rounds = f"median of {STATUS_ROUNDS} × {STATUS_FOR_S:.0f} s"
    spread = f"{min(rates):.0f} to {max(rates):.0f}"
    return Rate(median(rates), f"{rounds}, {spread}; {STATUS_CONNECTIONS} connections")


def two_cores() -> tuple[set[int], set[int]]:
    """A core for the load and one for what is measured; the same if there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[-1]}, {cores[0]}


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Use these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run something to its end."""
    return asyncio.run(work)
