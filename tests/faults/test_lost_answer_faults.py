"""Answers and callbacks that go wrong between a real service and a real worker: really made."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from deployment import free_port
from numpy.typing import NDArray
from running_parts import Part, wait_for
from s3_server import S3Server
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes
from switchboard import Switchboard, switchboard

from stemset.jobs.attempts import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.s3]

NOT_ANSWERED = 0
REDIRECT = 307


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=23)


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: object
) -> Iterator[ServiceDeployment]:
    """A bucket; no service and no worker yet."""
    del example
    s3_server.mend()
    with service(tmp_path / "service", database_conninfo, s3_server.new_bucket()) as made:
        yield made


class Receiver(ThreadingHTTPServer):
    """Takes callbacks in the service's place.

    Attributes:
        status: What it answers with; ``NOT_ANSWERED`` breaks the connection.
        elsewhere: Where it redirects to, with the path that was called.
        count: How many callbacks came.
    """

    daemon_threads = True

    def __init__(self, elsewhere: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = NOT_ANSWERED
        self.elsewhere = elsewhere
        self.count = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = cast("Receiver", self.server)
        self.rfile.read(int(self.headers["content-length"]))
        receiver.count += 1
        if receiver.status == NOT_ANSWERED:
            self.close_connection = True
            return
        self.send_response(receiver.status)
        if receiver.status == REDIRECT:
            self.send_header("location", receiver.elsewhere + self.path)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        """Calls are counted, not printed."""


@contextmanager
def receiver(elsewhere: str) -> Iterator[Receiver]:
    with Receiver(elsewhere) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def test_callback_that_goes_wrong_on_its_way_is_not_missed(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    with receiver(deployment.url) as there:
        worker = deployment.worker(BACKEND_URL=there.url)
        serving = deployment.serve("--no-compute", BACKEND_URL=there.url)
        for number, status in enumerate((NOT_ANSWERED, 500, 429, REDIRECT)):
            there.status, before = status, there.count
            job_id = deployment.separate(takes.wav(), f"lost-{number}.wav", FAR)

            deployment.assert_complete(job_id)

            wait_for(lambda before=before: there.count > before, "it is called back", worker.log)
            assert deployment.books.outcomes(job_id) == ["complete"]

        wait_for(lambda: len(worker.lines("Callback: ")) >= 4, "callbacks end", worker.log)
    assert serving.lines("Called back") == []


@pytest.mark.parametrize("place", ["before-callback", "after-callback"])
def test_worker_killed_around_its_callback_leaves_the_job_complete(
    deployment: ServiceDeployment, takes: Takes, place: str
) -> None:
    crash = f"{place}@{deployment.folder / 'crashed'}"
    worker = deployment.worker(STEMSET_CRASH_AT=crash, BACKEND_URL=deployment.url)
    deployment.serve("--no-compute", BACKEND_URL=deployment.url)

    job_id = deployment.separate(takes.wav(), "killed.wav", FAR)

    worker.wait_crashed()
    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]
    assert worker.begun(job_id) == 1


@pytest.fixture
def board(deployment: ServiceDeployment) -> Iterator[Switchboard]:
    with switchboard(deployment.worker_port) as made:
        yield made


def serve_through(deployment: ServiceDeployment, board: Switchboard) -> Part:
    urls = {"GPU_WORKER_URL": board.url, "BACKEND_URL": deployment.url}
    return deployment.serve("--no-compute", **urls)


def test_answer_to_an_order_that_is_lost_again_and_again_costs_no_attempt(
    deployment: ServiceDeployment, board: Switchboard, takes: Takes
) -> None:
    worker = deployment.worker(BACKEND_URL=deployment.url)
    serve_through(deployment, board)
    board.cuts = 3

    job_id = deployment.separate(takes.wav(60), "lost.wav", FAR)

    deployment.assert_complete(job_id)
    assert board.cuts == 0
    assert board.ordered >= 4
    assert worker.begun(job_id) == 1
    assert deployment.books.outcomes(job_id) == ["complete"]


def test_worker_that_was_frozen_calls_back_too_late_and_changes_nothing(
    deployment: ServiceDeployment, board: Switchboard, takes: Takes
) -> None:
    frozen = deployment.worker(BACKEND_URL=deployment.url)
    serving = serve_through(deployment, board)
    job_id = deployment.separate(takes.wav(60), "frozen.wav", FAR)
    wait_for(lambda: frozen.begun(job_id), "it is computed", frozen.log)
    frozen.signal(signal.SIGSTOP)
    deployment.worker_port = board.to = free_port()
    deployment.worker(BACKEND_URL=deployment.url)
    board.cut()
    deployment.assert_complete(job_id)
    before = deployment.books.state(job_id), deployment.books.attempts(job_id)
    heard = len(serving.lines("Called back"))

    frozen.signal(signal.SIGCONT)

    frozen.wait_line("Callback: ")
    wait_for(lambda: len(serving.lines("Called back")) > heard, "it calls back", serving.log)
    assert (deployment.books.state(job_id), deployment.books.attempts(job_id)) == before
    assert deployment.books.outcomes(job_id) == [Outcome.PASSED_OVER, Outcome.COMPLETE]
    deployment.assert_well()
