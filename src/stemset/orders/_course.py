"""The reports of one attempt in order, whatever the connections that they came over did."""

import asyncio

from stemset.errors import InvalidOrder
from stemset.orders.messages import Order, Report, Status, parse_report
from stemset.orders.phase import Phase

WAKING_EVERY_S = 5.0


class Course:
    """Takes the lines of one stream after the other, and tells what is new.

    A stream that joins a running attempt begins with its open questions and its latest report; only
    an attempt that was begun anew begins with ``accepted`` again.
    """

    def __init__(self, order: Order) -> None:
        """Begin before the first report."""
        self._order = order
        self._seq = -1
        self._progress = 0.0
        self._answered: set[int] = set()
        self._waking_due_at_s = 0.0

    def read(self, line: bytes) -> Report | None:
        """Read a line; None if it is no report of this attempt.

        Raises:
            UnsupportedVersion: It is of a higher version.
        """
        try:
            report = parse_report(line)
        except InvalidOrder:
            return None
        ours = (report.job_id, report.attempt) == (self._order.job_id, self._order.attempt)
        return report if ours else None

    def asks(self, report: Report) -> bool:
        """Whether a report, repeated or not, holds a question that has no answer yet."""
        return bool(report.wanted) and report.seq not in self._answered

    def answered(self, report: Report) -> None:
        """Note that a question was answered."""
        self._answered.add(report.seq)

    def news(self, report: Report) -> Report | None:
        """The report as it is to be told; None if it repeats what was told."""
        if report.status is Status.ACCEPTED and self._seq > report.seq:
            self._seq, self._progress = -1, 0.0
            self._answered.clear()
        if report.seq <= self._seq and not report.is_last:
            return None
        self._waking_due_at_s = 0.0
        self._seq = max(self._seq, report.seq)
        self._progress = max(self._progress, report.progress)
        return report.model_copy(update={"progress": self._progress})

    def waking(self) -> Report | None:
        """What there is to tell while no worker answers; None if it was told a moment ago."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._waking_due_at_s:
            return None
        self._waking_due_at_s = now_s + WAKING_EVERY_S
        return Report(
            job_id=self._order.job_id,
            attempt=self._order.attempt,
            seq=-1,
            status=Status.PROGRESS,
            phase=Phase.WAKING,
            progress=self._progress,
        )
