"""What KEDA counts: the trigger's own query, asked as its scaler does, on the real tables."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import manifests
import numpy as np
import psycopg
import pytest
from ledger_jobs import REQUEST, accept, in_ledger
from numpy.typing import NDArray
from s3_server import S3Server
from service_deployment import HERE, ServiceDeployment, service
from short_takes import Takes
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import accepting, ledger
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, State
from stemset.orders.messages import Failure

LAST_OF_MONTH = "2026-11-30 23:59:59+00"
FIRST_OF_MONTH = "2026-12-01 00:00:00+00"
# The same moment where clocks are ahead: only UTC counts.
NOT_YET_IN_UTC = "2026-12-01 01:30:00+02"

Change = Callable[[AsyncConnection, Job], Awaitable[object]]


def spoken(change: Change | None) -> str:
    return change.__name__ if change else "accept"


def counted(conninfo: str, at: str | None = None) -> float:
    """Ask as the scaler does: the first column of the only row, as a number.

    Args:
        conninfo: The database.
        at: What moment it is, by default now.
    """
    query = manifests.trigger().metadata.query
    if at is not None:
        assert query.count("now()") == 1
        query = query.replace("now()", f"timestamptz '{at}'")
    with psycopg.connect(conninfo) as connection:
        ((value,),) = connection.execute(query.encode()).fetchall()
    return float(value)


def have_job(conninfo: str, change: Change | None = None, queue: Queue = Queue.LOCAL) -> None:
    """Have a job in the ledger, as it is after a change."""

    async def scenario(database: Database) -> None:
        job = await accept(database, replace(REQUEST, queue=queue))
        if change is not None:
            async with database.transaction() as connection:
                await change(connection, job)

    in_ledger(conninfo, scenario)


async def wake(connection: AsyncConnection, job: Job) -> None:
    await ledger.progress(connection, job.id, State.WAKING)


async def begin(connection: AsyncConnection, job: Job) -> None:
    await ledger.progress(connection, job.id, State.PROCESSING, phase="separating", done=0.5)


async def requeue(connection: AsyncConnection, job: Job) -> None:
    await begin(connection, job)
    await ledger.progress(connection, job.id, State.QUEUED)


async def complete(connection: AsyncConnection, job: Job) -> None:
    await begin(connection, job)
    metadata = {"stems": {"vocals": {}}, "recording": {"duration_s": 2.5}, "timings": {}}
    assert await ledger.complete(connection, job.id, "folder-1", metadata)


async def fail(connection: AsyncConnection, job: Job) -> None:
    failure = Failure(code="audio_corrupt", detail="no audio", retryable=False)
    assert await ledger.fail(connection, job.id, failure)


async def cancel(connection: AsyncConnection, job: Job) -> None:
    await ledger.cancel(connection, job.id)


async def cancel_and_retry(connection: AsyncConnection, job: Job) -> None:
    await cancel(connection, job)
    await accepting.retry(connection, job.id, "local")


async def hold(connection: AsyncConnection, job: Job) -> None:
    await ledger.hold(connection, job.id, "$ 5 a month are the limit")


async def hold_and_begin(connection: AsyncConnection, job: Job) -> None:
    await hold(connection, job)
    await begin(connection, job)


async def hold_and_cancel(connection: AsyncConnection, job: Job) -> None:
    await hold(connection, job)
    await cancel(connection, job)


def test_no_job_needs_no_consumer(database_conninfo: str):
    assert counted(database_conninfo) == 0


@pytest.mark.parametrize(
    "change", [None, wake, begin, requeue, cancel_and_retry, hold_and_begin], ids=spoken
)
def test_job_that_waits_or_runs_is_counted(database_conninfo: str, change: Change | None):
    have_job(database_conninfo, change)

    assert counted(database_conninfo, LAST_OF_MONTH) == 1


@pytest.mark.parametrize("change", [complete, fail, cancel, hold_and_cancel], ids=spoken)
def test_job_that_has_ended_is_not_counted(database_conninfo: str, change: Change):
    have_job(database_conninfo, change)

    assert counted(database_conninfo, FIRST_OF_MONTH) == 0


@pytest.mark.parametrize("change", [None, begin], ids=spoken)
def test_job_that_the_worker_does_is_not_counted(database_conninfo: str, change: Change | None):
    have_job(database_conninfo, change, Queue.WORKER)

    assert counted(database_conninfo) == 0


@pytest.mark.parametrize(
    ("at", "expected"), [(LAST_OF_MONTH, 0), (NOT_YET_IN_UTC, 0), (FIRST_OF_MONTH, 1)]
)
def test_job_that_is_held_is_counted_when_the_next_month_begins(
    database_conninfo: str, at: str, expected: int
):
    have_job(database_conninfo, hold)

    assert counted(database_conninfo, at) == expected


def test_every_job_is_counted(database_conninfo: str):
    async def scenario(database: Database) -> None:
        for number in range(5):
            await accept(database, replace(REQUEST, output_name=f"take {number}"))

    in_ledger(database_conninfo, scenario)

    assert counted(database_conninfo) == 5


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    del example
    s3_server.mend()
    with service(tmp_path / "service", database_conninfo, s3_server.new_bucket()) as made:
        yield made


@pytest.mark.slow
@pytest.mark.s3
def test_consumer_is_wanted_from_a_jobs_acceptance_to_its_end(
    deployment: ServiceDeployment, database_conninfo: str, song: NDArray[np.float32]
):
    deployment.serve("--no-compute")
    before = counted(database_conninfo)
    job_id = deployment.separate(Takes(song).wav(60), "take.wav", HERE)
    waiting = counted(database_conninfo)

    deployment.consume()
    deployment.wait_state(job_id, "processing", phase="separating")
    running = counted(database_conninfo)
    deployment.assert_complete(job_id)

    assert [before, waiting, running, counted(database_conninfo)] == [0, 1, 1, 0]
