"""Each recording's whole way, several at a time: in one wake, and no idle worker.

```text
             one at a time          one at a time               one at a time
           ┌──────────────────────┐   ┌───────┐                 ┌─────────────┐
recording ─┤ hash, probe, upload  ├───┤ order ├─── publish ─────┤ fetch stems ├─▶ output
           └──────────────────────┘   └───────┘                 └─────────────┘
             at most 2 ahead
```

A recording that fails does not stop the others, unless they would all fail in the same way. What
stands in the bucket is fetched even then.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from stemset.audio.decode import probe
from stemset.cli.batch import Batch, Tally, look_at, plan
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.cli.progress import OnProgress, Phase, Progress
from stemset.cli.remote.attempts import Attempts
from stemset.cli.remote.connection import RemoteConnection
from stemset.cli.remote.failures import advised, ends_the_batch, spares_what_stands
from stemset.cli.remote.meter import Meter
from stemset.cli.remote.results import fetch, total_bytes
from stemset.cli.remote.spending import Spending
from stemset.cli.remote.survey import RemoteJob, job_id_of, name_job
from stemset.cli.report import Report, Spent
from stemset.dispatch.cost import Cost
from stemset.dispatch.inputs import upload
from stemset.dispatch.standing import Whole, publish_once
from stemset.dispatch.threads import Threads
from stemset.errors import InputChanged, StemsetError
from stemset.orders.messages import Report as WorkerReport
from stemset.telemetry import crash_point

_AHEAD = 2
# The worker boots while the rest of the first recording is uploaded, and does not wait for longer.
_WAKE_AHEAD_S = 120.0
_SHORT_UPLOAD_BYTES = 64_000_000


class Coordinator:
    """One batch of recordings on its way through bucket and worker.

    Attributes:
        at_worker: The job that the worker has taken and not ended.
    """

    def __init__(
        self,
        batch: Batch,
        report: Report,
        connection: RemoteConnection,
        threads: Threads,
        spending: Spending | None = None,
    ) -> None:
        """Set up; nothing is begun."""
        self.at_worker: RemoteJob | None = None
        self._batch = batch
        self._report = report
        self._connection = connection
        self._store = connection.store
        self._threads = threads
        self._spending = spending
        self._tally = Tally()
        self._job_ids: dict[Path, str] = {}
        self._end: StemsetError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._bringing: set[asyncio.Task[None] | None] = set()
        self._waking: asyncio.Task[None] | None = None
        self._ahead = asyncio.Semaphore(1 + _AHEAD)
        self._preparing, self._working, self._fetching = (asyncio.Lock() for _ in range(3))

    async def run(self, paths: Iterable[Path]) -> ExitCode:
        """Take all recordings their whole way. Returns the exit code."""
        self._tasks = [asyncio.create_task(self._one(path)) for path in paths]
        try:
            await asyncio.gather(*self._tasks)
        finally:
            self._stop_waking()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._connection.runner.close()
        spent = self._spending and Spent(self._spending.total, self._spending.rate)
        self._report.end(self._tally.done, len(self._tally.failures), spent)
        return exit_code(self._end) if self._end else self._tally.exit_code()

    async def _one(self, path: Path) -> None:
        try:
            async with self._ahead:
                found = await self._until_whole(path)
            if found:
                await self._bring(*found)
        except StemsetError as error:
            self._fail(path, error)
        except asyncio.CancelledError:
            if self._end is None:
                raise
        else:
            self._tally.done += 1

    async def _until_whole(self, path: Path) -> tuple[RemoteJob, Whole, Cost | None] | None:
        """Have a recording's stems in the bucket; None if there is nothing to do."""
        async with self._preparing:
            wanted = await self._threads.run(self._survey, path)
            if wanted is None:
                return None
            self._report.planned(wanted.job, wanted.job_id)
            # Before the look at what stands: an attempt that ends between the two is joined then,
            # and not made again.
            first = await self._threads.run(wanted.attempt_to_order, self._store)
            if not self._batch.force and (
                whole := await self._threads.run(wanted.find_standing, self._store)
            ):
                self._report.found(wanted.job, wanted.job_id, whole.folder.name)
                return wanted, whole, None
            if self._spending is not None:  # before the worker is woken for it
                self._spending.check_cap(wanted.work)
            key = await self._place(wanted)
        async with self._working:
            return wanted, *await self._order(wanted, key, first)

    def _survey(self, path: Path) -> RemoteJob | None:
        recording = look_at(self._batch, path, self._report, self._tally)
        if recording is None:
            return None
        job = plan(self._batch, recording, probe(recording.path, self._batch.limits))
        self._job_ids[path] = job_id_of(job)
        return name_job(self._store, job)

    async def _place(self, wanted: RemoteJob) -> str:
        """Have the recording in the bucket; returns its key."""
        place = await self._threads.run(wanted.claim_place, self._store)
        crash_point("process:claimed")
        if not place.stands:
            await self._upload(wanted, place.key)
        self._report.uploaded(wanted.job, wanted.job_id, place.key, already=place.stands)
        crash_point("process:uploaded")
        return place.key

    async def _upload(self, wanted: RemoteJob, key: str) -> None:
        recording = wanted.job.recording
        if recording.size_bytes <= _SHORT_UPLOAD_BYTES:
            self._wake()
        with self._report.progress(wanted.job, wanted.job_id) as show:
            meter = Meter(Phase.UPLOADING, recording.size_bytes, self._waking_in_time(show))
            await self._threads.move(
                lambda on_bytes: upload(
                    self._store,
                    recording.path,
                    key,
                    on_bytes,
                    size_bytes=recording.size_bytes,
                    modified_ns=recording.modified_ns,
                ),
                meter,
            )

    async def _order(self, wanted: RemoteJob, key: str, first: int) -> tuple[Whole, Cost | None]:
        """Have the worker make the stems, beginning with this attempt. Returns their cost, too."""
        self._stop_waking()  # from here on the runner does it
        if self._spending is None:
            return await self._until_made(wanted, key, first, on_report=lambda _: None), None
        self._spending.check_cap(wanted.work)
        self._spending.ask()
        cost = None
        try:
            whole = await self._until_made(wanted, key, first, on_report=self._spending.hear)
        finally:
            cost = self._spending.end(wanted.work)
        return whole, cost

    async def _until_made(
        self, wanted: RemoteJob, key: str, first: int, *, on_report: Callable[[WorkerReport], None]
    ) -> Whole:
        with self._report.progress(wanted.job, wanted.job_id) as show:

            def on_progress(progress: Progress) -> None:
                if progress.phase is not Phase.WAKING:
                    self.at_worker = wanted
                show(progress)

            attempts = Attempts(
                wanted.wish(self._batch.choice, key, self._batch.limits.max_duration_s),
                self._connection,
                self._threads,
                first,
                on_progress=on_progress,
                on_report=on_report,
                on_ordered=lambda n: self._report.ordered(wanted.job, wanted.job_id, n),
            )
            try:
                return await attempts.until_whole()
            except InputChanged:
                # The bucket does not hold what was hashed here: put it there again, once.
                await self._upload(wanted, key)
                return await attempts.until_whole()
            finally:
                self.at_worker = None

    async def _bring(self, wanted: RemoteJob, whole: Whole, cost: Cost | None) -> None:
        """Publish stems that stand in the bucket, and fetch them."""
        self._bringing.add(asyncio.current_task())
        await self._threads.run(publish_once, self._store, whole)
        crash_point("process:published")
        async with self._fetching:
            with self._report.progress(wanted.job, wanted.job_id) as show:
                meter = Meter(Phase.FETCHING_STEMS, total_bytes(whole), show)
                metadata = await self._threads.move(
                    lambda on_bytes: fetch(
                        self._store, wanted, whole, on_bytes=on_bytes, meter=meter
                    ),
                    meter,
                )
            self._report.complete(wanted.job, metadata, wanted.job_id, cost)

    def _fail(self, path: Path, error: StemsetError) -> None:
        told = advised(error, self._connection.worker_url, self._connection.bucket)
        self._report.failed(path, told, self._job_ids.get(path))
        self._tally.failures.append(error)
        if not ends_the_batch(error):
            return
        self._end = self._end or error
        spared = self._bringing if spares_what_stands(error) else set()
        for task in self._tasks:
            if task is not asyncio.current_task() and task not in spared:
                task.cancel()

    def _waking_in_time(self, show: OnProgress) -> OnProgress:
        """Wake the worker when the upload is about to end."""
        loop = asyncio.get_running_loop()

        def on_progress(progress: Progress) -> None:
            if progress.eta_s is not None and progress.eta_s <= _WAKE_AHEAD_S:
                loop.call_soon_threadsafe(self._wake)
            show(progress)

        return on_progress

    def _wake(self) -> None:
        """Begin to wake the worker, once in a run."""
        if self._waking is None:
            if self._spending is not None:
                self._spending.ask()
            self._waking = asyncio.ensure_future(self._connection.wake())

    def _stop_waking(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
