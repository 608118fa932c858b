"""How many attempts a job is worth: what counts, and when it is enough."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stemset.errors import AttemptUsed, Interrupted, StemsetError
from stemset.orders.messages import Failure

MAX_FAILED = 3
MAX_INTERRUPTED = 20
MAX_PASSED_OVER = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How many attempts of each kind end a job.

    Attributes:
        failed: Attempts that failed.
        interrupted: Attempts whose worker was told to stop.
        passed_over: Attempts that had been used before.
    """

    failed: int = MAX_FAILED
    interrupted: int = MAX_INTERRUPTED
    passed_over: int = MAX_PASSED_OVER


@dataclass(frozen=True, slots=True)
class Budget:
    """The attempts at a job that came to nothing.

    Attributes:
        failed: How many failed.
        interrupted: How many were interrupted, which is no fault of theirs.
        passed_over: How many had been used before.
        limits: How many are too many.
        last: How the last one ended; None if nobody remembers, or there was none.
    """

    failed: int = 0
    interrupted: int = 0
    passed_over: int = 0
    limits: Limits = Limits()
    last: Failure | None = None

    def after(self, failure: Failure) -> "Budget":
        """The budget after a further attempt; one that failed for good counts nowhere."""
        told = replace(self, last=failure)
        if not failure.retryable:
            return told
        match failure.error():
            case AttemptUsed():
                return replace(told, passed_over=self.passed_over + 1)
            case Interrupted():
                return replace(told, interrupted=self.interrupted + 1)
            case _:
                return replace(told, failed=self.failed + 1)

    @property
    def verdict(self) -> StemsetError | None:
        """The error that ends the job, None if a further attempt may follow."""
        if self.last is None or (self.last.retryable and not self._is_spent):
            return None
        return self.last.error()

    def pause_s(self, pauses_s: Sequence[float]) -> float:
        """How long to wait before the further attempt.

        Args:
            pauses_s: Seconds after the first, and after every further failed attempt.
        """
        match self.last and self.last.error():
            case None | AttemptUsed():
                return 0.0
            case Interrupted():
                return pauses_s[0]
            case _:
                return pauses_s[min(self.failed, len(pauses_s)) - 1]

    @property
    def _is_spent(self) -> bool:
        return (
            self.failed >= self.limits.failed
            or self.interrupted >= self.limits.interrupted
            or self.passed_over >= self.limits.passed_over
        )
