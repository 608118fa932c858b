"""Threads with bounded queues between them; a failure anywhere ends them all."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_S = 0.1


class Stage(Generic[Item]):
    """A thread that handles items in order.

    Attributes:
        busy_s: Wall time spent on items so far.
    """

    def __init__(self, name: str, handle: Callable[[Item], None], *, depth: int = 4) -> None:
        """Start the thread.

        Args:
            name: What to call it in a debugger.
            handle: Called for each item.
            depth: How many items may wait.
        """
        self._handle = handle
        self._items: queue.Queue[Item | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._stopped = threading.Event()
        self.busy_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"stemset-{name}", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand an item over, waiting for room. Raises what the thread failed with."""
        self._offer(item)

    def finish(self) -> None:
        """Wait until everything is handled. Raises what the thread failed with."""
        self._offer(None)
        self._thread.join()
        self._raise_failure()

    def stop(self) -> None:
        """End the thread after the item that it is at, whatever still waits."""
        self._stopped.set()
        self._thread.join()

    def _offer(self, item: Item | None) -> None:
        while True:
            self._raise_failure()
            try:
                self._items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                item = self._items.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if item is None:
                return
            begun = time.perf_counter()
            try:
                self._handle(item)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that puts items
                self._error = error
                return
            finally:
                self.busy_s += time.perf_counter() - begun


class ReadAhead(Iterator[Item]):
    """Iterates in a thread of its own, some items ahead; an error of the source is raised here.

    Attributes:
        waited_s: Wall time that was spent waiting for items.
    """

    def __init__(self, items: Iterable[Item], *, depth: int) -> None:
        """Start the thread; at most ``depth`` items wait."""
        self._items = items
        self.waited_s = 0.0
        self._ready: queue.Queue[Item | BaseException | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stemset-read-ahead", daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        """The next item."""
        begun = time.perf_counter()
        item = self._ready.get()
        self.waited_s += time.perf_counter() - begun
        if item is None:
            raise StopIteration
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self) -> None:
        """End the thread, whatever is left."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._offer(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised in the thread that iterates
            self._offer(error)
        else:
            self._offer(None)

    def _offer(self, item: Item | BaseException | None) -> bool:
        """Wait for room; False if the thread is to end instead."""
        while not self._stopped.is_set():
            try:
                self._ready.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
