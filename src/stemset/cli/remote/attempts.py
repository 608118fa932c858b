"""Ordering: one attempt after the other until the stems stand in the bucket."""

import asyncio
from collections.abc import Callable

from stemset.cli.progress import OnProgress, Phase, RemoteProgress
from stemset.dispatch.attempt import follow
from stemset.dispatch.budget import Budget
from stemset.dispatch.connection import Connection
from stemset.dispatch.standing import Whole
from stemset.dispatch.threads import Threads
from stemset.dispatch.wish import Wish
from stemset.orders.messages import Failure, Report
from stemset.orders.phase import Phase as WorkerPhase
from stemset.storage.keys import AttemptFolder, attempt_folder

_PHASES = {
    WorkerPhase.WAKING: Phase.WAKING,
    WorkerPhase.LOADING: Phase.LOADING,
    WorkerPhase.DOWNLOADING: Phase.DOWNLOADING,
    WorkerPhase.SEPARATING: Phase.SEPARATING,
    WorkerPhase.ENCODING: Phase.ENCODING,
    WorkerPhase.UPLOADING: Phase.UPLOADING_STEMS,
}


class Attempts:
    """The attempts at one job in this run."""

    def __init__(
        self,
        wish: Wish,
        connection: Connection,
        threads: Threads,
        first: int,
        *,
        on_progress: OnProgress,
        on_report: Callable[[Report], None],
        on_ordered: Callable[[int], None],
    ) -> None:
        """Set up; nothing is ordered yet.

        Args:
            wish: What to order.
            connection: The bucket and the worker.
            threads: Threads for what blocks.
            first: Number of the attempt to begin with.
            on_progress: Told how far the worker is.
            on_report: Told what it says.
            on_ordered: Told the number of each attempt.
        """
        self._wish = wish
        self._connection = connection
        self._threads = threads
        self._on_progress = on_progress
        self._on_report = on_report
        self._on_ordered = on_ordered
        self._budget = Budget()
        self._next_number = first

    async def until_whole(self) -> Whole:
        """Order until an attempt is whole; called again, go on with the next number.

        Raises:
            RemoteError: No worker takes the order.
            StorageError: The bucket does not answer.
            StemsetError: What the worker failed with, the third time if it could be retried.
        """
        while True:
            outcome = await self._attempt(self._next_folder())
            if isinstance(outcome, Whole):
                return outcome
            self._budget = self._budget.after(outcome)
            if error := self._budget.verdict:
                raise error
            await asyncio.sleep(self._budget.pause_s(self._connection.pauses_s))

    async def _attempt(self, folder: AttemptFolder) -> Whole | Failure:
        self._on_ordered(folder.number)
        return await follow(
            self._connection, self._wish, folder, self._threads, on_report=self._pass_on
        )

    def _next_folder(self) -> AttemptFolder:
        wish, number = self._wish, self._next_number
        self._next_number += 1
        return attempt_folder(wish.profile, wish.output_name, wish.job_id, number)

    def _pass_on(self, report: Report) -> None:
        self._on_report(report)
        if report.phase is not None:
            self._on_progress(RemoteProgress(_PHASES[report.phase], report.progress, report.eta_s))
