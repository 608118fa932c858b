"""Carries orders out on this machine."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from stemset.errors import StemsetError
from stemset.orders.messages import Links, Order, Report
from stemset.orders.runner import MakeLinks
from stemset.orders.supervisor import Supervisor


class LocalRunner:
    """A runner with a computing process of its own."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Use a supervisor, which is this runner's alone from now on."""
        self._supervisor = supervisor

    async def start(self) -> None:
        """Have the computing process started, and return at once; ``run`` does so as well."""
        await self._supervisor.start()

    async def run(
        self, order: Order, make_links: MakeLinks | None = None
    ) -> AsyncGenerator[Report, None]:
        """Carry an order out, or join it if it is being carried out; see ``Runner.run``.

        Raises:
            WorkerBusy: Another order is being carried out.
            Interrupted: The runner was closed.
            StemsetError: Links could not be made; the attempt is cancelled.
        """
        async with aclosing(self._supervisor.join(order) or self._supervisor.run(order)) as reports:
            async for report in reports:
                if report.wanted and make_links is not None:
                    await self._answer(report, make_links)
                yield report

    async def cancel(self, job_id: str) -> None:
        """End a job's running attempt."""
        await self._supervisor.cancel(job_id)

    async def close(self) -> None:
        """End the computing process."""
        await self._supervisor.stop("The program ended.")

    async def _answer(self, report: Report, make_links: MakeLinks) -> None:
        try:
            urls = await make_links(report.wanted)
        except StemsetError:
            await self.cancel(report.job_id)  # it would wait for an answer that never comes
            raise
        links = Links(
            job_id=report.job_id, attempt=report.attempt, seq=report.seq, urls=tuple(urls)
        )
        await self._supervisor.send_links(links)
