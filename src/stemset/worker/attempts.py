"""The one attempt at a time: taken, joined, cancelled, remembered."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Protocol

from stemset.errors import ComputingCrashed, Interrupted, StemsetError, WorkerBusy
from stemset.orders.messages import Failure, Links, Order, Ready, Report, Status
from stemset.telemetry import bind, get_logger
from stemset.worker import metrics
from stemset.worker._broadcast import Broadcast
from stemset.worker.callbacks import Callbacks

_log = get_logger("worker")

_REMEMBERED = 32
_WAIT_S = (1, 30)
_WAIT_UNKNOWN_S = 10

Key = tuple[str, int]


def about(order: Order) -> AbstractContextManager[None]:
    """Give every log line inside the ids of an order."""
    return bind(job_id=order.job_id, attempt=order.attempt, request_id=order.request_id)


class Computing(Protocol):
    """What is needed of ``orders.supervisor.Supervisor``."""

    @property
    def ready(self) -> Ready | None:
        """What the computing process said when it became ready; None before."""
        ...

    def run(self, order: Order) -> AsyncIterator[Report]:
        """Carry an order out; exactly one report, and it comes last, has ``is_last``."""
        ...

    async def send_links(self, links: Links) -> None:
        """Answer what the running attempt wants."""
        ...

    async def cancel(self, job_id: str) -> None:
        """End a job's running attempt."""
        ...

    async def stop(self) -> None:
        """End the computing process; a running attempt reports ``interrupted``."""
        ...


class Attempts:
    """Admits one attempt, lets any number follow it, and knows the last ones.

    All methods are called from one event loop, and whatever decides is decided without awaiting.
    """

    def __init__(self, computing: Computing, callbacks: Callbacks) -> None:
        """Begin idle.

        Args:
            computing: Who carries orders out.
            callbacks: Who posts last reports.
        """
        self._computing = computing
        self._callbacks = callbacks
        self._running: Order | None = None
        self._known: OrderedDict[Key, Broadcast] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._cancelling: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def running(self) -> Order | None:
        """The order that is being carried out."""
        return self._running

    @property
    def ready(self) -> Ready | None:
        """What the computing process said of itself; None while no work can be done."""
        return None if self._stopping else self._computing.ready

    @property
    def _device(self) -> str | None:
        """What the computing process computes on; None while it does not say."""
        return self._computing.ready.device if self._computing.ready else None

    @property
    def retry_after_s(self) -> int:
        """When it is worth asking again, in whole seconds."""
        if self._running is None:
            return _WAIT_S[0]
        left_s = self._known[_key(self._running)].latest.eta_s
        if left_s is None or not math.isfinite(left_s):
            return _WAIT_UNKNOWN_S
        return min(max(math.ceil(left_s), _WAIT_S[0]), _WAIT_S[1])

    def take(self, order: Order) -> Broadcast:
        """Carry an order out; one that is known already is joined, or answered with its end.

        Raises:
            WorkerBusy: Another attempt is running.
            Interrupted: The worker is shutting down.
        """
        if known := self._known.get(_key(order)):
            metrics.ORDERS.labels("joined").inc()
            _log.info("Order joined", status=known.latest.status)
            return known
        if self._stopping:
            metrics.ORDERS.labels("stopping").inc()
            raise Interrupted("The worker is shutting down.")
        if self._running is not None:
            metrics.ORDERS.labels("busy").inc()
            _log.info("Order refused: busy", busy_with=self._running.job_id)
            raise WorkerBusy(f"The worker is busy with job {self._running.job_id}.")
        metrics.ORDERS.labels("accepted").inc()
        _log.info("Order accepted", profile=order.profile_name, strategy=order.strategy_name)
        reports = Broadcast(_report(order, Status.ACCEPTED))
        self._running = order
        self._remember(_key(order), reports)
        self._task = asyncio.create_task(self._carry_out(order, reports))
        return reports

    def cancel(self, job_id: str) -> Report | None:
        """Begin to end a job's running attempt.

        Returns:
            How the job's newest attempt stands, None if there was none.
        """
        newest = next((key for key in reversed(self._known) if key[0] == job_id), None)
        if newest is None:
            return None
        latest = self._known[newest].latest
        if not latest.is_last:
            _log.info("Cancelling", attempt=newest[1])
            task = asyncio.create_task(self._computing.cancel(job_id))
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)
        return latest

    async def answer(self, links: Links) -> bool:
        """Hand presigned URLs to the attempt that wants them.

        Returns:
            Whether that attempt is running. An answer that came before is dropped.
        """
        if self._running is None or _key(self._running) != (links.job_id, links.attempt):
            return False
        if self._known[_key(self._running)].answered(links.seq, len(links.urls)):
            await self._computing.send_links(links)
        else:
            _log.info("Links dropped: nobody waits for them", seq=links.seq)
        return True

    async def stop(self, within_s: float) -> None:
        """Take nothing new and end what is running; the streams end with ``interrupted``.

        Args:
            within_s: How long the computing process may take to end.
        """
        self._stopping = True
        try:
            async with asyncio.timeout(within_s):
                await self._computing.stop()
                if self._task:
                    await asyncio.shield(self._task)
        except TimeoutError:
            _log.warning("The computing process did not end in time", within_s=within_s)
        if (late := self._running) is not None:
            with about(late):
                self._end(late, _failed(late, Interrupted("The worker stopped.")))

    async def _carry_out(self, order: Order, reports: Broadcast) -> None:
        last: Report | None = None
        with about(order):
            begun = time.monotonic()
            device = self._device
            try:
                async for report in self._computing.run(order):
                    if report.is_last:
                        last = report
                    else:
                        reports.tell(report)
            except StemsetError as error:
                last = _failed(order, error)
            except Exception:  # noqa: BLE001 - whatever happens, the attempt ends for its followers
                _log.exception("The computing process cannot be used")
            if last is None:
                error = ComputingCrashed("The computing process ended without a last report.")
                last = _failed(order, error)
            took_s = time.monotonic() - begun
            metrics.COMPUTING_S.labels(device or self._device or "unknown").inc(took_s)
            self._end(order, last, round(took_s, 3))

    def _end(self, order: Order, last: Report, seconds: float | None = None) -> None:
        """Tell the end, once, when the worker is free for the next order."""
        if self._running is not order:
            return
        self._running = None
        reports = self._known[_key(order)]
        reports.tell(last)
        failure = last.error
        metrics.ATTEMPTS.labels(last.status, failure.code if failure else "").inc()
        _log.info(
            f"Attempt ended: {last.status}",
            status=last.status,
            code=failure.code if failure else None,
            detail=failure.detail if failure else None,
            seconds=seconds,
        )
        if order.callback_url is not None:
            self._callbacks.send(order.callback_url, reports.latest, order.request_id)

    def _remember(self, key: Key, reports: Broadcast) -> None:
        self._known[key] = reports
        while len(self._known) > _REMEMBERED + 1:  # the running one is no memory yet
            self._known.popitem(last=False)


def _key(order: Order) -> Key:
    return order.job_id, order.attempt


def _report(order: Order, status: Status) -> Report:
    return Report(job_id=order.job_id, attempt=order.attempt, seq=0, status=status)


def _failed(order: Order, error: StemsetError) -> Report:
    ended = _report(order, Status.ERROR)
    return ended.model_copy(update={"error": Failure.of(error)})
