"""How long an attempt waits for a worker that is asleep, or away."""

import time
from collections.abc import Callable

from stemset.errors import RemoteError
from stemset.jobs.metrics import WAKE_S, WAKES_FAILED
from stemset.orders.messages import Report
from stemset.orders.phase import Phase


class Waking:
    """One attempt's waits. A worker that answers at once was awake, and nothing is counted."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin when the order is given."""
        self._clock_s = clock_s
        self._since_s: float | None = clock_s()
        self._waits = False

    def hear(self, report: Report) -> None:
        """Take what the runner says: that it waits, or what the worker says."""
        if report.phase is Phase.WAKING:
            if self._since_s is None:  # the worker has answered before, and went away
                self._since_s = self._clock_s()
            self._waits = True
            return
        if self._waits and self._since_s is not None:
            WAKE_S.observe(self._clock_s() - self._since_s)
        self._since_s, self._waits = None, False

    def give_up(self, error: RemoteError) -> None:
        """Note that no worker took the order."""
        WAKES_FAILED.labels(error.code).inc()
