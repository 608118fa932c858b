"""How often somebody may call: so many calls a second, and as many at once as come in ten."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from stemset.errors import RateLimited

BURST_S = 10.0

_AT_MOST = 4096


@dataclass
class _Bucket:
    """What is left of a caller's calls, and when that was counted."""

    left: float
    counted_s: float


class Rates:
    """Counts calls by caller. Used within one event loop; each process counts its own."""

    def __init__(self, per_s: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with everybody's full.

        Args:
            per_s: Calls a second that a caller may make for as long as it likes.
            clock_s: Seconds from any moment, never backwards.
        """
        self._per_s = per_s
        self._most = per_s * BURST_S
        self._clock_s = clock_s
        self._buckets: dict[str, _Bucket] = {}

    def take(self, caller_id: str) -> None:
        """Count a call. Raises RateLimited, with how long to wait, once there were too many."""
        now_s = self._clock_s()
        bucket = self._buckets.get(caller_id)
        if bucket is None:
            self._forget_full(now_s)
            bucket = self._buckets[caller_id] = _Bucket(self._most, now_s)
        bucket.left = self._left(bucket, now_s)
        bucket.counted_s = now_s
        if bucket.left < 1:
            raise RateLimited(
                f"{self._per_s} calls a second are taken from one caller, and you made more.",
                after_s=(1 - bucket.left) / self._per_s,
            )
        bucket.left -= 1

    def _left(self, bucket: _Bucket, now_s: float) -> float:
        return min(self._most, bucket.left + (now_s - bucket.counted_s) * self._per_s)

    def _forget_full(self, now_s: float) -> None:
        """Those who have not called for a while are as those who never did."""
        if len(self._buckets) >= _AT_MOST:
            kept = {
                caller: each
                for caller, each in self._buckets.items()
                if self._left(each, now_s) < self._most
            }
            self._buckets = kept
