"""The queue at work: entries are taken, one at a time for each kind, and given to the task.

The queue is Procrastinate's. Its worker ends when a single query fails; here a query waits until
the database is back (``_PatientConnector``), so that an outage costs no lease. A worker that ends
all the same, for example since others have taken its process for dead and forgotten it, is followed
by a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, TypeVar

import psycopg
from procrastinate import App, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Entry
from procrastinate.retry import BaseRetryStrategy
from procrastinate.worker import Worker

from stemset.errors import DatabaseFailed
from stemset.jobs.database import bound, translated
from stemset.jobs.entries import TASK
from stemset.jobs.job import Queue
from stemset.jobs.task import Again, Separating
from stemset.telemetry import get_logger

_log = get_logger("jobs")

HEARTBEAT_S = 10.0
SILENT_S = 30.0
"""A process whose heartbeat is older is dead; its entries are let go."""

_FORGOTTEN_S = 86_400.0
"""Whoever was silent for so long is forgotten. Not sooner: after an outage all have been silent,
and the first one to start again must not forget the others."""

_POLL_S = 1.0  # entries that come back later are not announced
_PAUSES_S = (0.1, 1.0)
_UNFORESEEN_PAUSE_S = 2.0
_LONG_AGO = datetime.fromtimestamp(0, UTC)

Result = TypeVar("Result")


class _PatientConnector(PsycopgConnector):
    """Waits for a database that is away; what it repeats may be done twice.

    Attributes:
        is_patient: Whether it does; not any more once the process stops, for which others mend
            what could not be written.
    """

    is_patient = True

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        call = super().execute_query_async
        try:
            await self._until_answered(lambda: call(query, **arguments))
        except ConnectorException as error:
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            # The entry was let go while this process was frozen or cut off, or this is the
            # repetition of what had been done.
            _log.warning("An entry is another's by now", detail=_first_line(error))

    async def execute_query_one_async(
        self, query: LiteralString, **arguments: Any
    ) -> dict[str, Any]:
        call = super().execute_query_one_async
        return await self._until_answered(lambda: call(query, **arguments))

    async def execute_query_all_async(
        self, query: LiteralString, **arguments: Any
    ) -> list[dict[str, Any]]:
        call = super().execute_query_all_async
        return await self._until_answered(lambda: call(query, **arguments))

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        call, channels = super().listen_notify, list(channels)
        await self._until_answered(lambda: call(on_notification, channels))

    async def _until_answered(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Try until the database is there. Raises ConnectorException if it answers, and refuses."""
        pause_s = _PAUSES_S[0]
        while True:
            try:
                return await call()
            except ConnectorException as error:
                is_refused = isinstance(translated(error.__cause__ or error), DatabaseFailed)
                if is_refused or not self.is_patient:
                    raise
                _log.warning("The queue waits for the database", detail=_first_line(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSES_S[1])


class _ComesBack(BaseRetryStrategy):
    """Entries stay until the task says that the job is done with.

    When one comes back is compared with the database's clock, so it is told by that.
    """

    def __init__(self) -> None:
        """Take the clocks for equal until they were compared."""
        self._ahead = timedelta()  # the database's clock, of this process's

    async def compare_clocks(self, connector: PsycopgConnector) -> None:
        """Ask the database for its time."""
        row = await connector.execute_query_one_async("SELECT now() AS moment")
        self._ahead = row["moment"] - datetime.now(UTC)

    def get_retry_decision(self, *, exception: BaseException, job: Entry) -> RetryDecision:  # noqa: ARG002 - the library's call
        pause_s = _UNFORESEEN_PAUSE_S
        if isinstance(exception, Again):
            pause_s = exception.pause_s
        elif isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_at=_LONG_AGO)  # this process stops; another has it at once
        pause = timedelta(seconds=pause_s)
        return RetryDecision(retry_at=datetime.now(UTC) + self._ahead + pause)


class QueueAtWork:
    """Takes entries of some queues, for one process."""

    def __init__(self, conninfo: str, queues: Sequence[Queue], task: Separating) -> None:
        """Set up; nothing is taken yet.

        Args:
            conninfo: The database.
            queues: The queues, each with one job at a time.
            task: What is done with a job.
        """
        self._connector = _PatientConnector(
            conninfo=conninfo,
            min_size=1,
            max_size=2 + len(queues),
            timeout=5.0,
            configure=bound,
        )
        self._app = App(connector=self._connector)
        self._task = task
        self._workers: dict[Queue, Worker] = {}
        self._queues = queues

        comes_back = _ComesBack()

        @self._app.task(name=TASK, retry=comes_back)
        async def separate(job_id: str) -> None:
            try:
                await task.run(job_id)
            except Exception:
                await comes_back.compare_clocks(self._connector)
                raise

    @property
    def worker_ids(self) -> list[int]:
        """Ids under which this process shows that it lives."""
        workers = self._workers.values()
        return [each.worker_id for each in workers if each.worker_id is not None]

    async def run(self) -> None:
        """Take entries until cancelled; what is under way is let go, and goes on elsewhere."""
        async with self._app.open_async():
            runs = [asyncio.create_task(self._work(queue)) for queue in self._queues]
            try:
                await asyncio.gather(*runs)
            finally:
                self._connector.is_patient = False
                for run in runs:
                    run.cancel()
                await asyncio.gather(*runs, return_exceptions=True)

    async def _work(self, queue: Queue) -> None:
        while True:
            worker = self._workers[queue] = self._worker(queue)
            try:
                await worker.run()
            except ConnectorException as error:
                _log.warning("The queue begins anew", queue=queue, detail=_first_line(error))
            await asyncio.sleep(_UNFORESEEN_PAUSE_S)

    def _worker(self, queue: Queue) -> Worker:
        return Worker(
            app=self._app,
            queues=[queue],
            name=f"stemset-{queue}",
            concurrency=1,
            install_signal_handlers=False,
            fetch_job_polling_interval=_POLL_S,
            shutdown_graceful_timeout=0.01,
            delete_jobs="successful",
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=_FORGOTTEN_S,
        )


def _first_line(error: ConnectorException) -> str:
    return str(error.__cause__ or error).strip().partition("\n")[0]
