"""Workers for the tests: one that many tests share, and gates that keep a job running."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from running_worker import Client, Worker, eventually, running


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """Give a worker that the tests of a module share; each leaves it idle."""
    with running(tmp_path_factory.mktemp("worker"), http={"repeat_s": 0.2}) as worker:
        yield worker


@pytest.fixture
def client(worker: Worker) -> Iterator[Client]:
    """Give a client of the shared worker, when that is idle."""
    with worker.client() as client:
        eventually(lambda: client.ready()["busy"] is False)
        yield client


@pytest.fixture
def job_id() -> str:
    """Give a job id that no other test has."""
    return uuid4().hex


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Give a file that jobs wait for; it is made at the latest when the test ends."""
    path = tmp_path / "gate"
    yield path
    path.touch()
