"""What only the one who follows an attempt can time: its transfers, its losses, its very end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from stemset.orders.messages import Report
from stemset.orders.phase import Phase

_TRANSFERS = {Phase.DOWNLOADING, Phase.UPLOADING}


@dataclass(frozen=True, slots=True)
class Course:
    """What was seen.

    Attributes:
        transfer_s: Seconds in which files went to and fro.
        let_go_s: Seconds since the last report: the worker has been idle for so long.
        asked_s: Seconds since a worker was asked for: at first, or anew, when it was lost.
        was_lost: Whether a worker had been heard of before it was asked for.
        is_awaited: Whether none was heard of since.
    """

    transfer_s: float = 0.0
    let_go_s: float = 0.0
    asked_s: float = 0.0
    was_lost: bool = False
    is_awaited: bool = False


class Watch:
    """Watches one attempt."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin when it is ordered."""
        self._clock_s = clock_s
        self._phase: Phase | None = None
        self._since_s = self._asked_at_s = clock_s()
        self._transfer_s = 0.0
        self._ended_at_s: float | None = None
        self._is_awaited = True
        self._was_lost = False

    def hear(self, report: Report) -> None:
        """Take a report when it comes."""
        now_s = self._clock_s()
        if self._phase in _TRANSFERS:
            self._transfer_s += now_s - self._since_s
        self._phase, self._since_s = report.phase, now_s
        if report.phase is not Phase.WAKING:
            self._is_awaited = False
        elif not self._is_awaited:
            self._asked_at_s, self._is_awaited, self._was_lost = now_s, True, True
        if report.is_last:
            self._ended_at_s = now_s

    def course(self) -> Course:
        """What was seen so far."""
        now_s = self._clock_s()
        return Course(
            transfer_s=self._transfer_s,
            let_go_s=0.0 if self._ended_at_s is None else now_s - self._ended_at_s,
            asked_s=now_s - self._asked_at_s,
            was_lost=self._was_lost,
            is_awaited=self._is_awaited,
        )
