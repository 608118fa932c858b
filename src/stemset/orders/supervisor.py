"""The one owner of the computing process: starts it, feeds it, ends it, starts it again.

The process can be ended by anything at any moment. Whatever happens to it, an order that was taken
gets exactly one last report:

| what happens | last report |
| --- | --- |
| it says ``complete`` or ``error`` | that |
| it ends, or says what is no message | ``computing_crashed`` |
| the order's deadline passes | ``deadline_passed`` |
| it gets nowhere for too long | ``computing_stalled`` |
| ``cancel`` | ``cancelled`` |
| ``stop`` | ``interrupted`` |

An attempt lives in the supervisor: whoever reads its reports may stop reading, and nothing is
cancelled by that. When an attempt was ended by force the process is started again at once, in the
background, so that the next order finds its networks loaded.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from stemset.errors import (
    Cancelled,
    ComputingCrashed,
    ComputingStalled,
    DeadlinePassed,
    Interrupted,
    StemsetError,
    WorkerBusy,
)
from stemset.orders._attempt import Attempt
from stemset.orders._process import Process
from stemset.orders.checks import Inspect, Inspected
from stemset.orders.messages import ComputingSettings, Links, Order, Ready, Report, utc

COMMAND = (sys.executable, "-m", "stemset.pipeline")
STALL_S = 600.0


class Supervisor:
    """Owns a computing process. All methods are called from one event loop."""

    def __init__(
        self,
        settings: ComputingSettings,
        *,
        command: Sequence[str] = COMMAND,
        stall_s: float = STALL_S,
    ) -> None:
        """Know how to start it; nothing is started yet.

        Args:
            settings: What it is told first.
            command: The program and its arguments.
            stall_s: An attempt that gets nowhere for so long is ended.
        """
        self._process = Process(command, settings, self)
        self._stall_s = stall_s
        self._attempt: Attempt | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._stopped: str | None = None
        self._inspection: asyncio.Future[Inspected] | None = None
        self._inspections = 0

    @property
    def ready(self) -> Ready | None:
        """What the process said when it could take orders; None while it cannot."""
        return self._process.ready

    @property
    def running(self) -> Order | None:
        """The order that is being carried out."""
        return self._attempt.order if self._attempt else None

    async def start(self) -> None:
        """Start the process, and return at once; ``run`` does so as well."""
        self._process.begin()

    async def wait_ready(self, within_s: float) -> bool:
        """Wait until an order can be taken; returns whether that is so."""
        return await self._process.wait_ready(within_s)

    def run(self, order: Order) -> AsyncGenerator[Report, None]:
        """Take an order, at once, and begin to carry it out.

        Args:
            order: What to do.

        Returns:
            Its reports from now on; only the last one has ``is_last``.

        Raises:
            WorkerBusy: Another attempt is running.
            Interrupted: The supervisor was stopped.
        """
        if self._stopped is not None:
            raise Interrupted(self._stopped)
        if self._attempt is not None:
            raise WorkerBusy(f"The computing process is at job {self._attempt.order.job_id}.")
        self._attempt = attempt = Attempt(order)
        self._watcher = asyncio.create_task(self._watch(attempt), name="stemset-watcher")
        self._process.begin()
        self._feed()
        return attempt.follow()

    def join(self, order: Order) -> AsyncGenerator[Report, None] | None:
        """Follow an order that is being carried out: what it asks, how it stands, what comes.

        Returns:
            Its reports from now on; None if it is not being carried out.
        """
        if self._attempt is not None and self._attempt.is_of(order):
            return self._attempt.follow(joins=True)
        return None

    async def send_links(self, links: Links) -> None:
        """Answer what the running attempt wants; an answer nobody waits for is dropped."""
        if self._attempt and self._attempt.is_of(links) and self._attempt.answered(links):
            self._process.say(links)

    async def cancel(self, job_id: str) -> None:
        """End a job's running attempt, and return when it has ended. Repeatable."""
        attempt = self._attempt
        if attempt is not None and attempt.order.job_id == job_id:
            self._break_off(attempt, Cancelled("The job was cancelled."))
            await attempt.ended.wait()

    async def inspect(self, models: Sequence[str], within_s: float) -> Inspected:
        """Have the process look at what it works with, and measure how fast it computes.

        An order that is taken meanwhile is begun when that is done.

        Args:
            models: Models that orders will need; the first is measured.
            within_s: How long it may take.

        Raises:
            WorkerBusy: It is at an attempt, or at another inspection, or not ready.
            ComputingStalled: It did not answer in time.
            ComputingCrashed: It ended meanwhile.
        """
        if self._attempt is not None or self._inspection is not None or self.ready is None:
            raise WorkerBusy("The computing process is at work.")
        self._inspections += 1
        self._inspection = asyncio.get_running_loop().create_future()
        self._process.say(Inspect(seq=self._inspections, models=tuple(models)))
        try:
            async with asyncio.timeout(within_s):
                return await self._inspection
        except TimeoutError:
            raise ComputingStalled(
                f"The computing process did not compute a chunk within {within_s:g} s."
            ) from None
        finally:
            self._inspection = None

    async def stop(self, reason: str = "The worker was stopped.") -> None:
        """End the process for good, and return when it has ended. Repeatable.

        Args:
            reason: What a running attempt's last report says.
        """
        if self._stopped is None:
            self._stopped = reason
        if self._attempt is not None:
            self._break_off(self._attempt, Interrupted(self._stopped))
        await self._process.stop()

    def on_ready(self) -> None:
        """The process can take an order."""
        self._feed()

    def on_report(self, report: Report) -> None:
        """The process says something."""
        if self._attempt is not None:
            self._attempt.hear(report)
            self._let_go()

    def on_inspected(self, inspected: Inspected) -> None:
        """The process answers; whoever asked may have given it up."""
        asked = self._inspection
        if asked is not None and not asked.done() and inspected.seq == self._inspections:
            asked.set_result(inspected)

    def on_end(self, fate: str, *, on_purpose: bool) -> None:
        """The process has ended, and with it the attempt that it was at."""
        if self._inspection is not None and not self._inspection.done():
            self._inspection.set_exception(ComputingCrashed(f"The computing process {fate}."))
        attempt = self._attempt
        if attempt is None or (on_purpose and attempt.verdict is None):
            return  # that was an attempt before this one, which is the next process's
        crash = ComputingCrashed(f"The computing process {fate} ({attempt.place}).")
        attempt.end(attempt.verdict or crash)
        self._let_go()

    def _feed(self) -> None:
        """Hand the order over, once there is one and a process that can take it."""
        attempt = self._attempt
        if attempt and not attempt.sent and not attempt.is_late and self._process.ready:
            attempt.sent = True
            self._process.say(attempt.order)

    async def _watch(self, attempt: Attempt) -> None:
        """Break an attempt off that passes its deadline or gets nowhere."""
        while not attempt.ended.is_set():
            stalls_at_s = attempt.moved_at_s + self._stall_s
            if attempt.is_late:
                until = utc(attempt.order.deadline)
                late = DeadlinePassed(f"The deadline, {until}, passed ({attempt.place}).")
                return self._break_off(attempt, late)
            if asyncio.get_running_loop().time() >= stalls_at_s:
                stalled = ComputingStalled(f"No progress in {self._stall_s:g} s ({attempt.place}).")
                return self._break_off(attempt, stalled, hangs=True)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(stalls_at_s, attempt.deadline_at_s)):
                    await attempt.ended.wait()
        return None

    def _break_off(self, attempt: Attempt, error: StemsetError, *, hangs: bool = False) -> None:
        """End an attempt, and with it the process, if that has begun it or hangs."""
        attempt.verdict = attempt.verdict or error
        killed = (attempt.sent or hangs) and self._process.kill()
        if not killed:  # otherwise it ends with the process: what that has said still counts
            attempt.end(attempt.verdict)
            self._let_go()

    def _let_go(self) -> None:
        if self._attempt is not None and self._attempt.ended.is_set():
            self._attempt = None
