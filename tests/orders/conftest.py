"""Fixtures: supervisors of a fake computing process, and remote runners of a fake worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_worker import FakeWorker, says
from remote_runs import ACCEPTED, DONE, MORE, SECRET, SOME, Runners
from supervised import WITHIN_S, Fake, until

from stemset.orders.remote import RemoteRunner


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[Fake]:
    """Its supervisors are stopped, and whatever they started must be gone."""
    fake = Fake(tmp_path)
    yield fake
    for each in fake.supervisors:
        await asyncio.wait_for(each.stop(), WITHIN_S)
    await until(lambda: not fake.alive())


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    """It is awake, and answers every order with a whole stream."""
    worker = FakeWorker()
    await worker.start()
    worker.process = [says(ACCEPTED, SOME, MORE, DONE)]
    yield worker
    await worker.stop()


@pytest.fixture
async def runners(worker: FakeWorker) -> AsyncIterator[Runners]:
    """Makes remote runners of that worker, and closes them."""
    made: list[RemoteRunner] = []

    def make(
        url: str | None = None, secrets: Sequence[str] = (SECRET,), **options: Any
    ) -> RemoteRunner:
        made.append(RemoteRunner(worker.url if url is None else url, secrets, **options))
        return made[-1]

    yield make
    for each in made:
        await each.close()
