"""Telling the ledger how far an attempt is, and hearing from it that the job has ended."""

import asyncio

from stemset.dispatch.course import Watch
from stemset.errors import DatabaseError, NoSpace
from stemset.jobs import attempts, ledger
from stemset.jobs.attempts import OpenAttempt
from stemset.jobs.database import Database
from stemset.jobs.job import State
from stemset.jobs.waking import Waking
from stemset.orders.messages import Report, Status
from stemset.orders.phase import Phase

EVERY_S = 1.0
_LOOK_EVERY_S = 10.0


class Telling:
    """One attempt's progress on its way into the ledger: the latest report, once a second.

    Attributes:
        waking: How long it waits for a worker.
        watch: What of its time went for what.
    """

    def __init__(self, database: Database, attempt: OpenAttempt) -> None:
        """Begin with nothing to tell."""
        self._database = database
        self._attempt = attempt
        self._report: Report | None = None
        self._phase: Phase | None = None
        self._urgent = asyncio.Event()
        self._device: str | None = None
        self.waking = Waking()
        self.watch = Watch()

    def tell(self, report: Report) -> None:
        """Take a report; it replaces one that was not written yet."""
        self._report = report
        self._device = report.device or self._device
        self.waking.hear(report)
        self.watch.hear(report)
        if report.phase is not self._phase:
            self._phase = report.phase
            self._urgent.set()

    def look(self) -> None:
        """The job's row has changed: look at once."""
        self._urgent.set()

    async def until_ended(self) -> None:
        """Write reports as they come, and return when the job has ended by other means."""
        looked_at_s = 0.0
        now_s = asyncio.get_running_loop().time
        while True:
            due = self._urgent.is_set() or now_s() - looked_at_s >= _LOOK_EVERY_S
            if self._report is not None or due:
                self._urgent.clear()
                looked_at_s = now_s()
                if not await self._write():
                    return
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._urgent.wait()
            except TimeoutError:
                continue

    async def _write(self) -> bool:
        """Write the latest report; returns whether the job is open, as far as is known."""
        report, self._report = self._report, None
        try:
            async with self._database.transaction() as connection:
                if report is None:
                    job = await ledger.get(connection, self._attempt.job_id)
                    return not job.state.has_ended
                is_waking = report.phase is Phase.WAKING
                # Locked in the order in which a settlement locks them: the job, then its attempt.
                if not await ledger.lock_open(connection, self._attempt.job_id):
                    return False
                if not is_waking:
                    works = report.status is Status.PROGRESS
                    await attempts.touch(connection, self._attempt, self._device, works=works)
                return await ledger.progress(
                    connection,
                    self._attempt.job_id,
                    State.WAKING if is_waking else State.PROCESSING,
                    phase=report.phase,
                    done=report.progress,
                    eta_s=report.eta_s,
                )
        except (DatabaseError, NoSpace):  # what is computed is worth more than what is told of it
            self._report = self._report or report  # written when the database is back
            return True
