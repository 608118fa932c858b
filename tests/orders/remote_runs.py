"""What the tests of the remote runner share: reports, and runs with a limit."""

import asyncio
import base64
from collections.abc import Callable, Sequence

import pytest
from written_orders import a_report, an_order

from stemset.errors import StemsetError
from stemset.orders.messages import Order, Report
from stemset.orders.phase import Phase
from stemset.orders.remote import RemoteRunner
from stemset.orders.runner import MakeLinks, Runner

WITHIN_S = 20.0
SECRET = base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = base64.b64encode(bytes(32)).decode()

ACCEPTED = a_report(0, "accepted")
SOME = a_report(1, phase="separating", progress=0.25)
MORE = a_report(2, phase="separating", progress=0.5)
DONE = a_report(3, "complete", progress=1.0, stems=["vocals"])

Runners = Callable[..., RemoteRunner]


async def run(
    runner: Runner, order: Order | None = None, make_links: MakeLinks | None = None
) -> list[Report]:
    """All reports on an order."""
    async with asyncio.timeout(WITHIN_S):
        return [report async for report in runner.run(order or an_order(), make_links)]


async def refused(runner: Runner, order: Order | None = None) -> StemsetError:
    """The error that a run ends with."""
    with pytest.raises(StemsetError) as raised:
        await run(runner, order)
    return raised.value


def working(told: Sequence[Report]) -> list[Report]:
    """What a worker said."""
    return [report for report in told if report.phase is not Phase.WAKING]


def waking(told: Sequence[Report]) -> list[Report]:
    """What the runner said of its own."""
    return [report for report in told if report.phase is Phase.WAKING]
