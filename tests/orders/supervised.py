"""What the tests of the supervisor share: one of ``fake_computing``, and waits with a limit."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
from fake_computing import HEARD

from stemset.orders.messages import ComputingSettings, Order, Report
from stemset.orders.supervisor import Supervisor

FAKE = Path(__file__).with_name("fake_computing.py")
WITHIN_S = 10.0
GONE_WITHIN_S = 5.0


class Fake:
    """Supervisors of ``fake_computing``, and what that heard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervisors: list[Supervisor] = []

    def supervisor(self, *arguments: str, stall_s: float = 60) -> Supervisor:
        settings = ComputingSettings(scratch=str(self.folder), load=("fast",))
        command = (sys.executable, str(FAKE), *arguments)
        self.supervisors.append(Supervisor(settings, command=command, stall_s=stall_s))
        return self.supervisors[-1]

    def heard(self, *kinds: str | None) -> list[dict[str, Any]]:
        """What was read; an order's kind is ``separate``, the settings' None."""
        path = self.folder / HEARD
        lines = path.read_text().splitlines() if path.exists() else []
        return [each for each in map(json.loads, lines) if each["message"].get("kind") in kinds]

    @property
    def pids(self) -> list[int]:
        """Process ids of all that were started, in order."""
        return [each["pid"] for each in self.heard(None, "sleeper")]

    def alive(self) -> list[int]:
        return [pid for pid in self.pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what another process did sets no event
            await asyncio.sleep(0.01)


async def all_of(reports: AsyncIterator[Report]) -> list[Report]:
    async with asyncio.timeout(WITHIN_S):
        return [report async for report in reports]


async def last_of(reports: AsyncIterator[Report]) -> Report:
    """The last report, after a look at the others."""
    told = await all_of(reports)
    assert [report.is_last for report in told] == [False] * (len(told) - 1) + [True]
    assert [report.seq for report in told] == sorted({report.seq for report in told})
    return told[-1]


async def begun(supervisor: Supervisor, order: Order) -> AsyncIterator[Report]:
    """Run an order, and return when it is at work."""
    async with asyncio.timeout(WITHIN_S):
        async for report in supervisor.run(order):
            if report.progress > 0:
                break
    joined = supervisor.join(order)
    assert joined
    return joined


def failure(report: Report) -> tuple[str, str]:
    """Code and detail of an error report."""
    assert report.error
    return report.error.code, report.error.detail
