"""A bucket that is away for five real minutes, in the middle of the jobs of a whole deployment.

One gateway is killed, under jobs that a worker computes; one is frozen, under jobs that the service
computes by itself. Each is in the middle of one job, while another has not begun.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from invariants import Books
from ledger_database import LedgerDatabases
from numpy.typing import NDArray
from s3_server import S3Server, running_server
from service_deployment import FAR, HERE, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]

AWAY_S = 300.0

SILENT_PUT_S = 300.0
"""A bucket that takes a file and says nothing is waited for so long, and that time is paid for."""

_LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Outage:
    """A deployment whose bucket goes away.

    Attributes:
        site: The deployment.
        job_ids: A job that is computed, and one that waits for its turn.
        begin: Makes the bucket go away.
        end: Brings it back.
    """

    site: ServiceDeployment
    job_ids: tuple[str, str]
    begin: Callable[[], None]
    end: Callable[[], None]

    def assert_nothing_is_lost(self) -> None:
        """The jobs are open, and no attempt has failed."""
        for job_id in self.job_ids:
            status = self.site.status(job_id)
            assert status["state"] in {"queued", "waking", "processing"}, status
            assert set(self.site.books.outcomes(job_id)) <= {None, "interrupted"}

    def assert_done(self) -> None:
        """Both complete, and what was broken off counts as no failure."""
        self.site.assert_complete(*self.job_ids)
        for job_id in self.job_ids:
            *before, last = self.site.books.outcomes(job_id)
            assert set(before) <= {"interrupted"}
            assert last == "complete"


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=41)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def deployed(
    stack: ExitStack, folder: Path, databases: LedgerDatabases
) -> tuple[ServiceDeployment, S3Server]:
    """A deployment with a database and an S3 server of its own."""
    folder.mkdir()
    server = stack.enter_context(running_server(folder / "s3"))
    conninfo = databases.migrated()
    stack.callback(databases.drop, conninfo)
    site = stack.enter_context(
        service(
            folder / "service",
            conninfo,
            server.new_bucket(),
            length_s=Books.length_s + SILENT_PUT_S,
        )
    )
    stack.callback(server.mend)
    return site, server


def at_work(site: ServiceDeployment, takes: Takes, profile: str) -> tuple[str, str]:
    """Two jobs, the first of which is computed."""
    under_way = site.separate(takes.wav(60), "under-way.wav", profile)
    waits = site.separate(takes.wav(), "waits.wav", profile)
    site.wait_state(under_way, "processing", phase="separating")
    return under_way, waits


def test_bucket_that_is_away_for_5_minutes_costs_no_job_and_no_failed_attempt(
    tmp_path: Path, ledger_databases: LedgerDatabases, takes: Takes, stack: ExitStack, example: Path
) -> None:
    del example
    outages: list[Outage] = []
    for profile in (FAR, HERE):
        site, server = deployed(stack, tmp_path / profile, ledger_databases)
        if profile == FAR:
            site.worker()
        site.serve(*(["--no-compute"] if profile == FAR else []))
        begin, end = (
            (server.stop_gateway, server.start_gateway)
            if profile == FAR
            else (server.freeze, server.thaw)
        )
        job_ids = at_work(site, takes, profile)
        outages.append(Outage(site, job_ids, begin, end))
        begin()

    until_s = time.monotonic() + AWAY_S
    while time.monotonic() < until_s:
        for outage in outages:
            outage.assert_nothing_is_lost()
        time.sleep(_LOOK_EVERY_S)
    for outage in outages:
        outage.end()

    for outage in outages:
        outage.assert_done()
