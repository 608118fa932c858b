"""The reports of one attempt, for any number of followers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from stemset.orders.messages import Report, Status


class Broadcast:
    """Tells every follower what there is to tell, and slow ones only the latest.

    A follower that cannot keep up misses progress, never a question (``wanted``) and never the end.
    """

    def __init__(self, first: Report) -> None:
        """Begin with a report, so that there always is a latest one."""
        self._latest = first
        self._questions: dict[int, Report] = {}
        self._followers: set[_Follower] = set()

    @property
    def latest(self) -> Report:
        """How the attempt stands; a question that was answered is no longer in it."""
        return self._latest

    def tell(self, report: Report) -> None:
        """Pass a report on, unless it repeats the number of the latest one."""
        if report.is_last:
            report = _numbered_after(report, self._latest)
        elif report.seq <= self._latest.seq:
            return
        if report.wanted:
            self._questions[report.seq] = report
        self._latest = report
        for follower in self._followers:
            follower.put(report)

    def answered(self, seq: int | None, count: int) -> bool:
        """Note that a question was answered.

        Args:
            seq: Number of the report that asked; None means the oldest question.
            count: How many links the answer has.

        Returns:
            Whether it was still open; an answer that comes twice must not be taken for the answer
            to the next question.
        """
        number = next(iter(self._questions), -1) if seq is None else seq
        question = self._questions.get(number)
        if question is None or len(question.wanted) != count:
            return False
        del self._questions[number]
        if self._latest is question:
            self._latest = question.model_copy(update={"wanted": ()})
        return True

    async def follow(self, repeat_s: float) -> AsyncIterator[Report]:
        """Follow from now to the end.

        Args:
            repeat_s: The latest report is repeated when nothing new came for so long.

        Yields:
            Open questions, the latest report, then what comes; the last report ends it.
        """
        follower = _Follower()
        self._followers.add(follower)
        try:
            for report in self._to_begin_with():
                follower.put(report)
            while True:
                report = await follower.next(repeat_s) or self._latest
                yield report
                if report.is_last:
                    return
        finally:
            self._followers.discard(follower)

    def _to_begin_with(self) -> list[Report]:
        if self._latest.is_last:
            return [self._latest]
        return list(({**self._questions, self._latest.seq: self._latest}).values())


class _Follower:
    """What one follower has not been told yet."""

    def __init__(self) -> None:
        self._reports: deque[Report] = deque()
        self._there = asyncio.Event()

    def put(self, report: Report) -> None:
        if self._reports and _is_mere_progress(self._reports[-1]):
            self._reports.pop()
        self._reports.append(report)
        self._there.set()

    async def next(self, within_s: float) -> Report | None:
        """The next report; None if there is none within so many seconds."""
        if not self._reports:
            self._there.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._there.wait()
            except TimeoutError:
                return None
        return self._reports.popleft()


def _is_mere_progress(report: Report) -> bool:
    return report.status is Status.PROGRESS and not report.wanted


def _numbered_after(report: Report, before: Report) -> Report:
    """The last report of an attempt always has a number of its own."""
    if report.seq > before.seq:
        return report
    return report.model_copy(update={"seq": before.seq + 1})
