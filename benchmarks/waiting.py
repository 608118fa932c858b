"""Many jobs that wait: what it costs to accept one more, to look at them, to take the next one."""

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import quote

import psycopg

from http_load import Answer, connected, percentile, timed
from report import Row, at_most
from service_process import Service, Site, serving
from upload_forms import noise, take_form

JOBS = 10_000
PAGE = 200
ACCEPTED = 200
LOOKED_AT = 500
METRICS = 20
FETCHED = 200
WARM_UP = 20

_FOLDER = Path(__file__).parent
_REGISTER = "SELECT worker_id FROM procrastinate_register_worker_v1()"
_FETCH = "SELECT id FROM procrastinate_fetch_job_v2(%s::varchar[], %s)"


async def many_waiting(site: Site) -> list[Row]:
    """All figures where many jobs wait; nothing works them off."""
    with serving(site, "--no-compute") as running:
        fill(running)
        accepted = await accept(running)
        pages, job_ids = await walk(running)
        statuses = await get(running, [f"/api/jobs/{each}/status" for each in job_ids[::20]])
        metrics = await get(running, ["/metrics"] * METRICS)
        fetched = fetch(running)
    return list(rows(accepted, pages, statuses, metrics, fetched))


def rows(
    accepted: list[float],
    pages: list[float],
    statuses: list[float],
    metrics: list[float],
    fetched: list[float],
) -> Iterator[Row]:
    """The figures, of times in seconds."""
    where = f"{JOBS:,} jobs wait"
    for what, took, most_ms in (
        ("Accepting a job", accepted, 20),
        (f"A page of {PAGE} jobs", pages, 100),
        ("A status request", statuses, 20),
        ("/metrics", metrics, 250),
        ("The queue gives the next job", fetched, 20),
    ):
        detail = f"{len(took)} one after another; median {1000 * median(took):.1f} ms"
        yield at_most(most_ms, f"{what}, {where}, p95", 1000 * percentile(took, 0.95), "ms", detail)


def fill(running: Service) -> None:
    """Write a ledger with many jobs that wait, and the queue's entries."""
    running.fill(JOBS, waiting=JOBS)
    with running.database() as connection:
        connection.execute((_FOLDER / "waiting_jobs.sql").read_bytes())
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")  # as the database does by itself, after a while


async def accept(running: Service) -> list[float]:
    """Have jobs accepted, each under a name of its own."""
    form = take_form(0, 2_000_000, noise())
    async with connected(running.port) as connection:
        _ = (await connection.upload("/api/upload", form)).json

        def post(number: int) -> Callable[[], Awaitable[Answer]]:
            order = {"profile_name": "band", "filename": form.filename}
            order["output_name"] = f"waiting-{number}"
            return lambda: connection.post("/api/process", order)

        return (await timed([post(n) for n in range(WARM_UP + ACCEPTED)]))[WARM_UP:]


async def walk(running: Service) -> tuple[list[float], list[str]]:
    """Get all pages of the list of jobs. Returns how long each took, and the jobs' ids."""
    took: list[float] = []
    job_ids: list[str] = []
    cursor: str | None = ""
    async with connected(running.port) as connection:
        while cursor is not None:
            begun = time.perf_counter()
            page = (await connection.get(f"/api/jobs?limit={PAGE}{cursor}")).json
            took.append(time.perf_counter() - begun)
            job_ids += [job["job_id"] for job in page["jobs"]]
            cursor = page["next_cursor"] and f"&cursor={quote(page['next_cursor'])}"
    return took, job_ids


async def get(running: Service, paths: list[str]) -> list[float]:
    """Get paths, one after another."""
    async with connected(running.port) as connection:
        took: list[float] = []
        for path in paths:
            begun = time.perf_counter()
            answer = await connection.get(path)
            took.append(time.perf_counter() - begun)
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise SystemExit(f"{path}: {answer.status}")
    return took


def fetch(running: Service) -> list[float]:
    """Take the next entry of the queue, again and again, as a process with a free place does."""
    took: list[float] = []
    with running.database() as connection:
        connection.autocommit = True
        worker = _first(connection, _REGISTER)
        for _ in range(FETCHED):
            begun = time.perf_counter()
            found = _first(connection, _FETCH, ["local"], worker)
            took.append(time.perf_counter() - begun)
            if found is None:
                raise SystemExit("The queue gives nothing.")
    return took


def _first(connection: psycopg.Connection, query: str, *values: object) -> object:
    row = connection.execute(query.encode(), values).fetchone()
    return row and row[0]
