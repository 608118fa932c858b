"""Ordering: one attempt after the other until the stems stand in the bucket.

The worker's reports are hints. What counts is the attempt's manifest, whatever was reported.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from stemset.cli.progress import OnProgress, Phase, RemoteProgress
from stemset.cli.remote.connection import Connection
from stemset.cli.remote.survey import Whole, attempt_to_order
from stemset.cli.remote.transfers import Threads
from stemset.cli.remote.wish import Wish
from stemset.errors import (
    AttemptUsed,
    ComputingCrashed,
    Interrupted,
    ObjectCorrupt,
    OrderError,
    RemoteError,
    StorageError,
)
from stemset.orders.messages import Failure, LinkWanted, Report, Status
from stemset.orders.phase import Phase as WorkerPhase
from stemset.orders.runner import MakeLinks
from stemset.storage.exchange import Wanted as WantedLink
from stemset.storage.keys import AttemptFolder, attempt_folder
from stemset.storage.outputs import check, read_manifest
from stemset.telemetry import crash_point

_MAX_FAILED = 3
_MAX_INTERRUPTED = 20
_MAX_PASSED_OVER = 100
_MANIFEST_READS = 5

_PHASES = {
    WorkerPhase.WAKING: Phase.WAKING,
    WorkerPhase.LOADING: Phase.LOADING,
    WorkerPhase.DOWNLOADING: Phase.DOWNLOADING,
    WorkerPhase.SEPARATING: Phase.SEPARATING,
    WorkerPhase.ENCODING: Phase.ENCODING,
    WorkerPhase.UPLOADING: Phase.UPLOADING_STEMS,
}

_PASSED_OVER = Failure.of(AttemptUsed("The attempt had ended before this run."))


class Attempts:
    """The attempts at one job in this run."""

    def __init__(
        self,
        wish: Wish,
        connection: Connection,
        threads: Threads,
        *,
        on_progress: OnProgress,
        on_ordered: Callable[[int], None],
    ) -> None:
        """Set up; nothing is ordered yet.

        Args:
            wish: What to order.
            connection: The bucket and the worker.
            threads: Threads for what blocks.
            on_progress: Told how far the worker is.
            on_ordered: Told the number of each attempt.
        """
        self._wish = wish
        self._connection = connection
        self._threads = threads
        self._on_progress = on_progress
        self._on_ordered = on_ordered
        self._failed = self._interrupted = self._passed_over = 0
        self._number: int | None = None

    async def until_whole(self) -> Whole:
        """Order until an attempt is whole; called again, go on with the next number.

        Raises:
            RemoteError: No worker takes the order.
            StorageError: The bucket does not answer.
            StemsetError: What the worker failed with, the third time if it could be retried.
        """
        while True:
            outcome = await self._attempt(await self._next_folder())
            if isinstance(outcome, Whole):
                return outcome
            await self._judge(outcome)

    async def _next_folder(self) -> AttemptFolder:
        wanted = self._wish.wanted
        if self._number is None:
            store = self._connection.store
            self._number = await self._threads.run(attempt_to_order, store, wanted)
        else:
            self._number += 1
        return attempt_folder(wanted.profile, wanted.job.output_name, wanted.job_id, self._number)

    async def _attempt(self, folder: AttemptFolder) -> Whole | Failure:
        """Order one attempt and follow it to its end."""
        self._on_ordered(folder.number)
        last, was_over = None, False
        try:
            last, was_over = await self._follow(folder)
            failure = _failure(last)
        except OrderError as error:
            failure = Failure.of(error)
        except RemoteError:
            # The worker is gone, perhaps after its work was done.
            if whole := await self._look(folder):
                return whole
            raise
        patient = last is not None and last.status is Status.COMPLETE and not was_over
        whole = await self._look(folder, reads=_MANIFEST_READS if patient else 1)
        if whole:
            return whole
        await self._abandon(folder)
        return _PASSED_OVER if was_over else failure

    async def _abandon(self, folder: AttemptFolder) -> None:
        """Drop what an attempt with links left half uploaded; the bucket does it in time, too."""
        if self._connection.links is not None:
            links = self._connection.links(self._wish.input_key, folder)
            with suppress(StorageError):
                await self._threads.run(links.abandon)

    async def _follow(self, folder: AttemptFolder) -> tuple[Report | None, bool]:
        """Send the order and pass its reports on.

        Returns:
            The last report, and whether there was none before it: a worker remembers how attempts
            ended, and that of an earlier run says nothing about a new one.
        """
        make_links = self._links(folder)
        input_url = None
        if make_links is not None:
            (input_url,) = await make_links([LinkWanted(method="GET")])
        order = self._wish.order(folder, input_url, datetime.now(UTC))
        last, was_over = None, True
        async for report in self._connection.runner.run(order, make_links):
            crash_point("process:ordered")
            if last is None or report.seq != last.seq:
                self._pass_on(report)
            was_over &= report.is_last or report.phase is WorkerPhase.WAKING
            last = report
        return last, was_over

    def _links(self, folder: AttemptFolder) -> MakeLinks | None:
        if self._connection.links is None:
            return None
        links = self._connection.links(self._wish.input_key, folder)

        async def make_links(wanted: Sequence[LinkWanted]) -> Sequence[str]:
            return await self._threads.run(
                links.make, [WantedLink(**dict(link)) for link in wanted]
            )

        return make_links

    def _pass_on(self, report: Report) -> None:
        if report.phase is not None:
            self._on_progress(RemoteProgress(_PHASES[report.phase], report.progress, report.eta_s))

    async def _look(self, folder: AttemptFolder, reads: int = 1) -> Whole | None:
        """The attempt, if it is whole; read again for as long as it should be there."""
        for left in reversed(range(reads)):
            try:
                if whole := await self._threads.run(self._whole, folder):
                    return whole
            except ObjectCorrupt:
                return None
            if left:
                await asyncio.sleep(self._connection.pauses_s[0])
        return None

    def _whole(self, folder: AttemptFolder) -> Whole | None:
        store, wanted = self._connection.store, self._wish.wanted
        manifest = read_manifest(store, folder)
        if manifest is None or manifest.job_id != wanted.job_id:
            return None
        if manifest.fingerprint != wanted.job.fingerprint or check(store, folder, manifest):
            return None
        return Whole(folder, manifest, is_published=False)

    async def _judge(self, failure: Failure) -> None:
        """Wait for the next attempt, or raise what ends the job."""
        error = failure.error()
        if not failure.retryable:
            raise error
        pause_s = self._connection.pauses_s[0]
        if isinstance(error, AttemptUsed):
            self._passed_over += 1
            pause_s = 0.0
        elif isinstance(error, Interrupted):
            self._interrupted += 1
        else:
            self._failed += 1
            pause_s = self._connection.pauses_s[min(self._failed, 2) - 1]
        if (
            self._failed >= _MAX_FAILED
            or self._interrupted >= _MAX_INTERRUPTED
            or self._passed_over >= _MAX_PASSED_OVER
        ):
            raise error
        await asyncio.sleep(pause_s)


def _failure(last: Report | None) -> Failure:
    """Why an attempt has no stems, as far as its last report tells."""
    if last is None or not last.is_last:
        return Failure.of(ComputingCrashed("The worker ended without a last report."))
    if last.error is not None:
        return last.error
    return Failure.of(
        ObjectCorrupt(
            "The worker says that the stems are complete, and they are not in the bucket."
        )
    )
