"""How long a worker that does not answer is waited for, and how often it is asked."""

import asyncio
from datetime import UTC, datetime

from stemset.errors import StemsetError, WorkerBusy, WorkerUnreachable
from stemset.orders._answers import TryAgain

_PAUSES_S = (0.2, 5.0)
_GROWTH = 1.7
_LONGEST_WAIT_S = 30.0


class Patience:
    """One call's patience, on the event loop's clock."""

    def __init__(self, where: str, patience_s: float, deadline: datetime | None = None) -> None:
        """Begin to wait.

        Args:
            where: The worker's address, for messages.
            patience_s: It is given up after so long without a sign of life.
            deadline: It is given up then, whatever happens; a busy one is waited for until then.
        """
        now_s = asyncio.get_running_loop().time()
        left_s = (deadline - datetime.now(UTC)).total_seconds() if deadline else float("inf")
        self._where = where
        self._patience_s = patience_s
        self._deadline_at_s = now_s + left_s
        self._heard_at_s = now_s
        self._has_heard = False
        self._pause_s = _PAUSES_S[0]

    @property
    def late_s(self) -> float:
        """How long ago the deadline was; below 0 before it."""
        return asyncio.get_running_loop().time() - self._deadline_at_s

    def heard(self) -> None:
        """There was a sign of life."""
        self._has_heard = True
        self._heard_at_s = asyncio.get_running_loop().time()

    def moved(self) -> None:
        """The work went on: the next pause is a short one again."""
        self._pause_s = _PAUSES_S[0]

    def pause_s(self, again: TryAgain) -> float:
        """How long to wait before the next try.

        Raises:
            WorkerUnreachable: It has been waited for long enough.
            WorkerBusy: The same, of a worker that answers that it is at another job.
        """
        left_s = -self.late_s
        if again.busy and left_s < float("inf"):
            self.heard()
        else:
            silent_s = asyncio.get_running_loop().time() - self._heard_at_s
            left_s = min(left_s, self._patience_s - silent_s)
        if left_s <= 0 or (again.hopeless and not self._has_heard):
            raise self._given_up(again)
        pause_s = max(self._pause_s, min(again.after_s, _LONGEST_WAIT_S))
        self._pause_s = min(self._pause_s * _GROWTH, _PAUSES_S[1])
        return min(pause_s, left_s)

    def _given_up(self, again: TryAgain) -> StemsetError:
        worker = f"The worker at {self._where}"
        if again.busy:
            return WorkerBusy(f"{worker} stayed busy to the order's deadline: {again}.")
        if again.hopeless:
            return WorkerUnreachable(f"{worker} cannot be reached: {again}.")
        limit = "up to the order's deadline" if self.late_s >= 0 else f"for {self._patience_s:g} s"
        return WorkerUnreachable(f"{worker} was waited for {limit}. The last cause: {again}.")
