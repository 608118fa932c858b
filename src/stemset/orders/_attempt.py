"""One order that is being carried out: what it said, who listens, and that it ends once."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from stemset.errors import StemsetError
from stemset.orders.messages import Failure, Links, Order, Report, Status


class Attempt:
    """The reports of one order, for any number of listeners.

    A listener that does not keep up misses progress, never an open question (``Report.wanted``) and
    never the end; what is kept does not grow with the length of the work.

    Attributes:
        order: What is carried out.
        sent: Whether the computing process has been told.
        verdict: Why it was broken off, if it was.
        ended: Set with the last report.
        moved_at_s: When it last got anywhere, on the event loop's clock.
        deadline_at_s: When it is worth nothing any more, on that clock: a step of the wall clock
            while it runs changes nothing.
    """

    def __init__(self, order: Order) -> None:
        """Begin; an event loop must be running."""
        now_s = asyncio.get_running_loop().time()
        self.order = order
        self.sent = False
        self.verdict: StemsetError | None = None
        self.ended = asyncio.Event()
        self.moved_at_s = now_s
        self.deadline_at_s = now_s + (order.deadline - datetime.now(UTC)).total_seconds()
        self._latest: Report | None = None
        self._kept: list[Report] = []
        self._news = asyncio.Event()

    @property
    def place(self) -> str:
        """How far it is, for people."""
        if self._latest is None:
            return "before it began"
        return f"{self._latest.phase or 'begun'}, {self._latest.progress:.0%}"

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed."""
        return asyncio.get_running_loop().time() >= self.deadline_at_s

    def is_of(self, message: Order | Report | Links) -> bool:
        """Whether a message is about this attempt."""
        return (message.job_id, message.attempt) == (self.order.job_id, self.order.attempt)

    def hear(self, report: Report) -> None:
        """Take a report; those of other attempts, and any after the last one, are ignored."""
        if not self.is_of(report) or self.ended.is_set():
            return
        if self._latest is not None and report.seq <= self._latest.seq:
            if not report.is_last:
                return
            report = report.model_copy(update={"seq": self._latest.seq + 1})
        if self._latest is not None and report.progress < self._latest.progress:
            report = report.model_copy(update={"progress": self._latest.progress})
        if _differs(report, self._latest):
            self.moved_at_s = asyncio.get_running_loop().time()
        if report.status is not Status.PROGRESS or report.wanted:
            self._kept.append(report)
        self._latest = report
        if report.is_last:
            self.ended.set()
        self._tell()

    def end(self, error: StemsetError) -> None:
        """Say why it ended, unless it has said so itself."""
        latest = self._latest
        self.hear(
            Report(
                job_id=self.order.job_id,
                attempt=self.order.attempt,
                seq=latest.seq + 1 if latest else 0,
                status=Status.ERROR,
                phase=latest.phase if latest else None,
                progress=latest.progress if latest else 0.0,
                error=Failure.of(error),
            )
        )

    def answered(self, links: Links) -> bool:
        """Note an answer; returns whether somebody waits for it."""
        for report in self._kept:
            if report.wanted and links.seq in {None, report.seq}:
                self._kept.remove(report)
                return True
        return False

    async def follow(self, *, joins: bool = False) -> AsyncGenerator[Report, None]:
        """Listen from now to the last report.

        Args:
            joins: Not told that the order was accepted if more has been said since.
        """
        seen = -1
        while True:
            news = self._news
            for report in self._after(seen):
                if not (joins and report.status is Status.ACCEPTED and report is not self._latest):
                    yield report
                seen = report.seq
                if report.is_last:
                    return
            await news.wait()

    def _after(self, seq: int) -> list[Report]:
        """What is to be told to one who knows the reports up to a number."""
        told = [report for report in self._kept if report.seq > seq]
        if self._latest and self._latest.seq > max([seq, *(each.seq for each in told)]):
            told.append(self._latest)
        return told

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _differs(report: Report, before: Report | None) -> bool:
    facts = (report.status, report.phase, report.progress, report.wanted)
    return before is None or facts != (before.status, before.phase, before.progress, before.wanted)
