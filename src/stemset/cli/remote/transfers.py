"""Work in threads that ends when nobody waits for it any more, and how far its bytes are."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from stemset.cli.progress import OnProgress, Phase, RemoteProgress
from stemset.storage.store import OnBytes

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_THREADS = 8


class _Stopped(BaseException):
    """Ends a transfer from within; no handler of ``Exception`` may hold it up."""


class Threads:
    """Threads for what blocks."""

    def __init__(self) -> None:
        """Set up; threads start when they are needed."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="stemset-remote")
        self._running: set[Future[object]] = set()

    async def run(
        self,
        work: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Call a function in a thread."""
        future = self._pool.submit(work, *arguments, **named)
        self._running.add(future)  # pyright: ignore[reportArgumentType] - kept to be waited for
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)

    async def move(self, transfer: Callable[[OnBytes], Result], on_bytes: OnBytes) -> Result:
        """Make a transfer in a thread; if the waiting coroutine is cancelled, it ends as well.

        Args:
            transfer: Called with a function that it must call as bytes are moved.
            on_bytes: Called, in the transfer's thread, with the number of bytes.
        """
        stopped = threading.Event()

        def moved(count: int) -> None:
            if stopped.is_set():
                raise _Stopped
            on_bytes(count)

        try:
            return await self.run(transfer, moved)
        finally:
            stopped.set()

    def close(self, wait_s: float) -> bool:
        """Let nothing more begin.

        Args:
            wait_s: How long to wait for what is running.

        Returns:
            Whether everything has ended.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not wait(set(self._running), wait_s).not_done


class Meter:
    """Turns bytes into progress with time left; any thread may call it.

    A part that is sent twice counts twice: the fraction never exceeds 1.
    """

    _EVERY_S = 0.25
    _SLOW_START_S = 1.0

    def __init__(self, phase: Phase, total: int, on_progress: OnProgress) -> None:
        """Begin at 0.

        Args:
            phase: What is going on.
            total: Bytes that there are to move.
            on_progress: Where it is told.
        """
        self._phase = phase
        self._total = max(total, 1)
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._moved = self._there = 0
        self._begun = self._told = time.monotonic()
        on_progress(RemoteProgress(phase, 0.0))

    def __call__(self, count: int) -> None:
        """Count bytes that were moved."""
        with self._lock:
            self._moved += count
            self._tell()

    def found(self, count: int) -> None:
        """Count bytes that were there already."""
        with self._lock:
            self._there += count

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < self._EVERY_S:
            return
        self._told = now
        spent = now - self._begun
        left = max(self._total - self._there - self._moved, 0)
        eta_s = spent * left / self._moved if spent > self._SLOW_START_S and self._moved else None
        fraction = min((self._there + self._moved) / self._total, 1.0)
        self._on_progress(RemoteProgress(self._phase, fraction, eta_s))
