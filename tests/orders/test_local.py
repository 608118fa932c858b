import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from written_orders import an_order

from stemset.errors import StorageUnavailable, WorkerBusy
from stemset.orders.local import LocalRunner
from stemset.orders.messages import ComputingSettings, LinkWanted, Status
from stemset.orders.runner import Runner
from stemset.orders.supervisor import Supervisor

pytestmark = pytest.mark.anyio

FAKE = Path(__file__).with_name("fake_computing.py")
WITHIN_S = 10.0


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    settings = ComputingSettings(scratch=str(tmp_path))
    runner = LocalRunner(Supervisor(settings, command=(sys.executable, str(FAKE))))
    yield runner
    await runner.close()


async def test_run_order_yields_its_reports(runner: Runner):
    async with asyncio.timeout(WITHIN_S):
        told = [report async for report in runner.run(an_order())]

    assert told[-1].status is Status.COMPLETE


async def test_run_links_that_are_wanted_are_made_and_sent(runner: Runner, tmp_path: Path):
    asked: list[LinkWanted] = []

    async def make_links(wanted: Sequence[LinkWanted]) -> Sequence[str]:
        asked.extend(wanted)
        return [f"https://bucket/{each.name}" for each in wanted]

    async with asyncio.timeout(WITHIN_S):
        told = [report async for report in runner.run(an_order("links"), make_links)]

    heard = [
        json.loads(line)["message"] for line in (tmp_path / "heard.jsonl").read_text().splitlines()
    ]
    assert [each.name for each in asked] == ["vocals.flac"]
    assert heard[-1]["urls"] == ["https://bucket/vocals.flac"]
    assert told[-1].status is Status.COMPLETE


async def test_run_links_that_cannot_be_made_cancel_the_attempt(runner: Runner):
    async def make_links(_wanted: Sequence[LinkWanted]) -> Sequence[str]:
        raise StorageUnavailable("The bucket is away.")

    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(StorageUnavailable):
            async for _ in runner.run(an_order("links"), make_links):
                pass
        told = [report async for report in runner.run(an_order(attempt=2))]

    assert told[-1].status is Status.COMPLETE


async def test_run_attempt_that_is_running_joins_it(runner: Runner):
    order = an_order("slow:10")
    async with asyncio.timeout(WITHIN_S):
        async for _ in runner.run(order):
            break
        told = [report async for report in runner.run(order)]

    assert told[-1].status is Status.COMPLETE


async def test_run_other_order_while_running_is_refused(runner: Runner):
    async with asyncio.timeout(WITHIN_S):
        async for _ in runner.run(an_order("hang")):
            break
        with pytest.raises(WorkerBusy):
            await anext(runner.run(an_order(job_id="other")))


async def test_cancel_running_job_ends_it(runner: Runner):
    last = None
    async with asyncio.timeout(WITHIN_S):
        async for report in runner.run(an_order("hang")):
            last = report
            if report.progress:
                await runner.cancel("job")

    assert last
    assert last.error
    assert last.error.code == "cancelled"
