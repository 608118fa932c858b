"""Work in threads that ends when nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, TypeVar

from stemset.storage.store import OnBytes

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_THREADS = 8


class _Stopped(BaseException):
    """Ends a transfer from within; no handler of ``Exception`` may hold it up."""


class Threads:
    """Threads for what blocks."""

    def __init__(self, count: int = _THREADS) -> None:
        """Set up; threads start when they are needed.

        Args:
            count: How many calls run at a time; further ones wait.
        """
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="stemset-remote")
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
