"""The task that holds a job: one attempt is ordered, followed, and settled.

Whoever runs the task has the job's lease. If the process dies, the queue's heartbeat shows it, the
entry is let go (``recovery``), and the task runs again, somewhere: it joins the attempt that is
open, or begins the next. Nothing that it needs to know is in memory only.

The database may go away in the middle: the attempt goes on, and what is to be written waits.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import parse_strategy
from stemset.dispatch import attempt as one_attempt
from stemset.dispatch.budget import Budget
from stemset.dispatch.connection import Connection
from stemset.dispatch.cost import Rate
from stemset.dispatch.course import Course, Watch
from stemset.dispatch.standing import Whole, find_standing
from stemset.dispatch.threads import Threads
from stemset.dispatch.wish import Wish
from stemset.errors import (
    DatabaseUnavailable,
    InputChanged,
    NetworkFailed,
    NoSpace,
    RemoteError,
    StemsetError,
    StorageError,
)
from stemset.jobs import attempts, ledger, recordings, removal
from stemset.jobs.attempts import OpenAttempt, Outcome
from stemset.jobs.caps import over_cap
from stemset.jobs.database import Database
from stemset.jobs.events import Kind
from stemset.jobs.job import Job, Queue, State
from stemset.jobs.metrics import JOBS_FOLLOWED
from stemset.jobs.settlement import settle
from stemset.jobs.telling import Telling
from stemset.orders.messages import Failure
from stemset.storage.keys import attempt_folder, output_prefix
from stemset.telemetry import bind, crash_point, get_logger

_log = get_logger("jobs")

Result = TypeVar("Result")

_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0
_STORE_PAUSE_S = 10.0
_INTERRUPTED_PAUSE_S = 5.0
_HELD_PAUSE_S = 30.0
_LONGEST_INTERRUPTED_PAUSE_S = 60.0
_GIVE_UP_AFTER = timedelta(hours=12)


class Again(Exception):
    """The job is to be taken up again later; meanwhile others have their turn."""

    def __init__(self, pause_s: float) -> None:
        """Come back after so many seconds."""
        super().__init__(f"again in {pause_s:g} s")
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the task needs of the process.

    Attributes:
        database: The ledger.
        threads: Threads for what blocks.
        connections: Bucket and runner of each queue that this process works off.
        max_duration_s: The longest that a recording without a known length can be.
        callback_url: Where a worker calls back to, by job id; None for nowhere.
        rates: What computing costs, by queue; those that cost nothing are left out.
        monthly_caps: What a profile's orders may cost in a calendar month, where that is limited.
    """

    database: Database
    threads: Threads
    connections: Mapping[Queue, Connection]
    max_duration_s: float
    callback_url: Callable[[str], str | None] = lambda _: None
    rates: Mapping[Queue, Rate] = field(default_factory=dict[Queue, Rate])
    monthly_caps: Mapping[str, float] = field(default_factory=dict[str, float])


class Separating:
    """The task, for all jobs of this process."""

    def __init__(self, workshop: Workshop) -> None:
        """Set up; nothing is begun."""
        self._workshop = workshop
        self._database = workshop.database
        self._tellings: dict[str, Telling] = {}
        self._at: set[str] = set()
        self._asked_at_s: dict[str, float] = {}  # by job: a worker was asked for on its behalf

    @property
    def job_ids(self) -> list[str]:
        """Jobs that this process is at."""
        return list(self._at)

    def hear(self, kind: Kind, subject: str) -> None:
        """Something changed, perhaps by another process: a job that was cancelled is let go."""
        if kind is Kind.JOB and (telling := self._tellings.get(subject)):
            telling.look()

    async def run(self, job_id: str) -> None:
        """Work a job off as far as it can be.

        Raises:
            Again: It is to be taken up again later.
        """
        self._at.add(job_id)
        try:
            with bind(job_id=job_id):
                while (pause_s := await self._once(job_id)) is not None:
                    if pause_s > 0:
                        raise Again(pause_s)
        finally:
            self._at.discard(job_id)
            self._asked_at_s.pop(job_id, None)

    async def _once(self, job_id: str) -> float | None:
        """Make one attempt; None if the job has ended, else the pause before the next one."""
        job = await self._patiently(lambda each: ledger.get(each, job_id))
        with bind(request_id=job.request_id):
            return await self._advance(job)

    async def _advance(self, job: Job) -> float | None:
        if job.state.has_ended:
            await self._let_go(job)
            return None
        try:
            if whole := await self._find_standing(job):
                await self._settle(job, whole)
                return 0.0  # an attempt may be open that is not the one that won
        except StorageError as error:
            return await self._wait_for_store(job, error)
        try:
            wanted = _fingerprint(job)
        except StemsetError as error:  # its model is none of this version's
            await self._fail(job, Failure.of(error))
            return 0.0
        attempt = await self._patiently(lambda each: self._begin(each, job, wanted))
        if not isinstance(attempt, OpenAttempt):
            return attempt
        with bind(attempt=attempt.number), JOBS_FOLLOWED.labels(job.queue).track_inprogress():
            return await self._attempt(job, attempt)

    async def _attempt(self, job: Job, attempt: OpenAttempt) -> float | None:
        self._asked_at_s.pop(job.id, None)
        wish = await self._wish(job)
        crash_point("api:dispatching")
        telling = Telling(self._database, attempt)
        try:
            outcome = await self._follow(job, attempt, wish, telling)
        except StemsetError as error:
            outcome = Failure.of(error)
        except Exception as error:  # noqa: BLE001 - a job must end, whatever is wrong with us
            _log.exception("Attempt failed unexpectedly")
            outcome = Failure.of(NetworkFailed(f"The service failed: {error!r}."))
        if outcome is None:  # it ended elsewhere
            return 0.0
        if isinstance(outcome, Failure):
            return await self._judge(job, attempt, outcome, telling.watch)
        crash_point("api:finalising")
        try:
            await self._settle(job, outcome, telling.watch)
        except StorageError as error:
            return await self._wait_for_store(job, error)
        return 0.0  # if it was cancelled in the last moment, its attempt is open

    async def _follow(
        self, job: Job, attempt: OpenAttempt, wish: Wish, telling: Telling
    ) -> Whole | Failure | None:
        """Follow an attempt; None if the job ended meanwhile, by other means."""
        connection = self._connection(job)
        folder = attempt_folder(job.profile, job.output_name, job.id, attempt.number)
        self._tellings[job.id] = telling
        following = asyncio.create_task(
            one_attempt.follow(
                connection, wish, folder, self._workshop.threads, on_report=telling.tell
            )
        )
        ended = asyncio.create_task(telling.until_ended())
        try:
            await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
            return following.result() if following.done() else None
        except RemoteError as error:
            telling.waking.give_up(error)
            raise
        finally:
            del self._tellings[job.id]
            for task in (following, ended):
                task.cancel()
            await asyncio.wait({following, ended})
            if not following.cancelled():
                following.exception()  # it was told, or is of no interest any more

    async def _judge(
        self, job: Job, attempt: OpenAttempt, failure: Failure, watch: Watch
    ) -> float | None:
        """Note a failure; None if it ends the job, else the pause before the next attempt."""
        error = failure.error()
        outcome = attempts.outcome_of(error)
        budget = await self._patiently(
            lambda each: self._note_failure(
                each, job, attempt, outcome, failure=failure, course=watch.course()
            )
        )
        _log.warning(
            f"Attempt {attempt.number} ended: {outcome}", outcome=outcome, **failure.model_dump()
        )
        if isinstance(error, InputChanged):
            await self._patiently(lambda each: recordings.doubt(each, job.sha256))
        if budget.verdict is None:
            if outcome is Outcome.PASSED_OVER:
                self._asked_at_s[job.id] = time.monotonic() - watch.course().asked_s
                return 0.0
            if outcome is Outcome.INTERRUPTED:
                pause_s = _INTERRUPTED_PAUSE_S * 2.0 ** (budget.interrupted - 1)
                return min(pause_s, _LONGEST_INTERRUPTED_PAUSE_S)
            return budget.pause_s(self._connection(job).pauses_s)
        await self._fail(job, failure)
        return None

    async def _note_failure(
        self,
        connection: AsyncConnection,
        job: Job,
        attempt: OpenAttempt,
        outcome: Outcome,
        *,
        failure: Failure,
        course: Course,
    ) -> Budget:
        await ledger.lock_open(connection, job.id)  # before its attempt, as a settlement does
        await attempts.end(connection, attempt, outcome, failure=failure, course=course)
        await ledger.progress(connection, job.id, State.QUEUED)
        counted = await attempts.budget(connection, job.id)
        if outcome is not Outcome.FAILED:  # however final it sounds, it says nothing of the job
            failure = failure.model_copy(update={"retryable": True})
        return replace(counted, last=failure)

    async def _fail(self, job: Job, failure: Failure) -> None:
        if await self._patiently(lambda each: ledger.fail(each, job.id, failure)):
            _log.warning(f"Job {job.id} completed: error", status="error", **failure.model_dump())

    async def _let_go(self, job: Job) -> None:
        """End the open attempt of a job that ended by other means, if there is one."""
        attempt = await self._patiently(lambda each: attempts.find_open(each, job.id))
        if attempt is None:
            return
        outcome = Outcome.COMPLETE if job.attempt == attempt.folder else Outcome.CANCELLED
        if outcome is Outcome.CANCELLED:
            with suppress(StemsetError):  # a worker that is gone computes nothing
                await self._connection(job).runner.cancel(job.id)
        await self._patiently(lambda each: attempts.end(each, attempt, outcome))

    async def _begin(
        self, connection: AsyncConnection, job: Job, wanted: str
    ) -> OpenAttempt | float:
        """The attempt to follow; or the pause before it is to be asked for again."""
        if not await ledger.lock_open(connection, job.id):
            return 0.0
        if not await attempts.find_open(connection, job.id):
            if job.fingerprint != wanted:
                await ledger.renew(connection, job.id, wanted)
                return 0.0  # it is one of this version from now on
            if why := await self._why_held(connection, job):
                await ledger.hold(connection, job.id, why)
                return _HELD_PAUSE_S

        def folder_of(number: int) -> str:
            return attempt_folder(job.profile, job.output_name, job.id, number).name

        rate = self._workshop.rates.get(job.queue)
        now_s = time.monotonic()
        asked_s = now_s - self._asked_at_s.get(job.id, now_s)
        return await attempts.begin(connection, job.id, folder_of, job.queue, rate, asked_s=asked_s)

    async def _why_held(self, connection: AsyncConnection, job: Job) -> str | None:
        """What keeps a job from costing anything now."""
        cap, rate = (
            self._workshop.monthly_caps.get(job.profile),
            self._workshop.rates.get(job.queue),
        )
        if cap is None or rate is None:
            return None
        return await over_cap(connection, job, cap, rate)

    async def _find_standing(self, job: Job) -> Whole | None:
        store, threads = self._connection(job).store, self._workshop.threads
        # What was deleted under this name stands no more, though it may still lie there.
        subject = output_prefix(job.profile, job.output_name)
        await _patiently(lambda: removal.settle(self._database, store, threads, subject))
        return await threads.run(
            find_standing,
            store,
            profile=job.profile,
            output_name=job.output_name,
            sha256=job.sha256,
            fingerprint=job.fingerprint,
            job_id=job.id,
        )

    async def _settle(self, job: Job, whole: Whole, watch: Watch | None = None) -> None:
        store, threads = self._connection(job).store, self._workshop.threads
        await _patiently(lambda: settle(self._database, store, threads, job.id, whole, watch=watch))

    async def _wait_for_store(self, job: Job, error: StorageError) -> float:
        """The pause until the store is asked again; the job fails if it was waited long enough."""
        _log.warning("The store does not answer", code=error.code, detail=str(error))
        waited = datetime.now(UTC) - job.created_at
        if error.retryable and waited < _GIVE_UP_AFTER:
            return _STORE_PAUSE_S
        await self._fail(job, Failure.of(error))
        return 0.0

    async def _wish(self, job: Job) -> Wish:
        recording = await self._patiently(lambda each: recordings.get(each, job.sha256))
        return Wish(
            job_id=job.id,
            profile=job.profile,
            output_name=job.output_name,
            strategy_name=job.strategy_name,
            strategy=job.strategy,
            fingerprint=job.fingerprint,
            choice=_choice(job),
            input_key=job.input_key,
            input_name=job.filename,
            sha256=job.sha256,
            size_bytes=recording.bytes,
            duration_s=recording.duration_s,
            max_duration_s=self._workshop.max_duration_s,
            callback_url=self._workshop.callback_url(job.id),
            request_id=job.request_id,
        )

    def _connection(self, job: Job) -> Connection:
        return self._workshop.connections[job.queue]

    async def _patiently(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Do something in a transaction of its own, however long the database is away."""

        async def once() -> Result:
            async with self._database.transaction() as connection:
                return await work(connection)

        return await _patiently(once)


def _choice(job: Job) -> OutputChoice:
    output = job.output
    depth = output.get("depth")
    return OutputChoice(
        OutputFormat(output["format"]), output.get("bitrate"), depth and Depth(depth)
    )


def _fingerprint(job: Job) -> str:
    """What this version makes of a job. Raises StemsetError if it cannot."""
    return fingerprint(parse_strategy(job.strategy, job.strategy_name), _choice(job))


async def _patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Try until the database is there; what is tried must bear being done twice."""
    pause_s = _PAUSE_S
    while True:
        try:
            return await work()
        except (DatabaseUnavailable, NoSpace) as error:
            _log.warning("Waiting for the database", code=error.code, detail=str(error))
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
