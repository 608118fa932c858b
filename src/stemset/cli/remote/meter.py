"""How far bytes are that are on their way."""

import threading
import time

from stemset.cli.progress import OnProgress, Phase, RemoteProgress


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
