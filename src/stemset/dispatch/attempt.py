"""One attempt, from its order to its manifest.

The runner's reports are hints. What counts is the attempt's manifest, whatever was reported.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from stemset.dispatch.connection import Connection
from stemset.dispatch.standing import Whole, find_attempt
from stemset.dispatch.threads import Threads
from stemset.dispatch.wish import Wish
from stemset.errors import (
    AttemptUsed,
    ComputingCrashed,
    ObjectCorrupt,
    OrderError,
    RemoteError,
    StorageError,
)
from stemset.orders.messages import Failure, LinkWanted, Report, Status
from stemset.orders.phase import Phase
from stemset.storage.exchange import Wanted
from stemset.storage.keys import AttemptFolder
from stemset.telemetry import crash_point

OnReport = Callable[[Report], None]

_MANIFEST_READS = 5

_PASSED_OVER = Failure.of(AttemptUsed("The attempt had ended before this run."))


async def follow(
    connection: Connection,
    wish: Wish,
    folder: AttemptFolder,
    threads: Threads,
    *,
    on_report: OnReport,
) -> Whole | Failure:
    """Order one attempt, or join it if it runs, and follow it to its end.

    Cancelled, the attempt goes on at the worker; called again with the same folder, it is joined.

    Args:
        connection: The bucket and the runner.
        wish: What to order.
        folder: The attempt's folder.
        threads: Threads for what blocks.
        on_report: Called with every new report; none is repeated.

    Returns:
        The whole stems, or why there are none. An attempt that had ended before it was ordered
        here is ``attempt_used``, however it ended.

    Raises:
        RemoteError: No worker takes the order, and nothing whole stands.
        StorageError: The bucket does not answer.
    """
    return await _Attempt(connection, wish, folder, threads, on_report).until_ended()


class _Attempt:
    """One attempt in this process."""

    def __init__(
        self,
        connection: Connection,
        wish: Wish,
        folder: AttemptFolder,
        threads: Threads,
        on_report: OnReport,
    ) -> None:
        self._connection = connection
        self._wish = wish
        self._folder = folder
        self._threads = threads
        self._on_report = on_report
        self._links = connection.links and connection.links(wish.input_key, folder)

    async def until_ended(self) -> Whole | Failure:
        last, was_over = None, False
        try:
            last, was_over = await self._follow()
            failure = _failure(last)
        except OrderError as error:
            failure = Failure.of(error)
        except RemoteError:
            # The worker is gone, perhaps after its work was done.
            if whole := await self._look():
                return whole
            raise
        patient = last is not None and last.status is Status.COMPLETE and not was_over
        if whole := await self._look(reads=_MANIFEST_READS if patient else 1):
            return whole
        await self._abandon()
        return _PASSED_OVER if was_over else failure

    async def _follow(self) -> tuple[Report | None, bool]:
        """Send the order and pass its reports on.

        Returns:
            The last report, and whether there was none before it: a worker remembers how attempts
            ended, and that of an earlier run says nothing about a new one.
        """
        make_links = self._make_links if self._links else None
        order = self._wish.order(self._folder, await self._input_url(), datetime.now(UTC))
        last, was_over = None, True
        async for report in self._connection.runner.run(order, make_links):
            crash_point("process:ordered")
            if last is None or report.seq != last.seq:
                self._on_report(report)
            was_over &= report.is_last or report.phase is Phase.WAKING
            last = report
        return last, was_over

    async def _input_url(self) -> str | None:
        if self._links is None:
            return None
        (url,) = await self._make_links([LinkWanted(method="GET")])
        return url

    async def _make_links(self, wanted: Sequence[LinkWanted]) -> Sequence[str]:
        assert self._links is not None  # noqa: S101 - nobody asks where there are none
        return await self._threads.run(self._links.make, [Wanted(**dict(link)) for link in wanted])

    async def _look(self, reads: int = 1) -> Whole | None:
        """The attempt, if it is whole; read again for as long as it should be there."""
        for left in reversed(range(reads)):
            try:
                if whole := await self._threads.run(self._whole):
                    return whole
            except ObjectCorrupt:
                return None
            if left:
                await asyncio.sleep(self._connection.pauses_s[0])
        return None

    def _whole(self) -> Whole | None:
        wish = self._wish
        return find_attempt(
            self._connection.store, self._folder, fingerprint=wish.fingerprint, job_id=wish.job_id
        )

    async def _abandon(self) -> None:
        """Drop what an attempt with links left half uploaded; the bucket does it in time, too."""
        if self._links is not None:
            with suppress(StorageError):
                await self._threads.run(self._links.abandon)


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
