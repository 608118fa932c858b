"""What a run of remote work costs, what the month has cost, and the month's limit.

Without a service there is no ledger. So a journal lies beside a profile's outputs, a JSON line for
each change of what was spent: an order's seconds, its whole tail included, when it ends, and what
of that tail is not needed when another order comes in time, of this run or the next, for this
profile or another. ``amount`` summed up is the cost.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from io import SEEK_END
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO

from stemset.audio.files import writing
from stemset.dispatch.cost import Cost, Month, Rate, beyond_cap
from stemset.dispatch.course import Watch
from stemset.errors import CapReached
from stemset.orders.messages import Report, Status
from stemset.orders.phase import Phase

JOURNAL = ".costs.jsonl"

_NEWEST = 20


@dataclass(frozen=True, slots=True)
class Work:
    """What an order is for.

    Attributes:
        job_id: The job.
        strategy: Name of its strategy.
        audio_s: Length of the recording, None if its header does not say.
    """

    job_id: str
    strategy: str
    audio_s: float | None


class Journal:
    """A profile's journal."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Know where it lies; it need not exist."""
        self._path = path
        self.now = now

    def beside(self) -> "list[Journal]":
        """The journals of all profiles, whose worker is the same one; this one is among them."""
        paths = self._path.parent.parent.glob(f"*/{self._path.name}")
        return [Journal(path, self.now) for path in sorted(paths)]

    def add(self, **facts: object) -> None:
        """Write a line. Raises NoSpace, OutputUnwritable."""
        line = json.dumps({"at": self.now().isoformat(timespec="seconds"), **facts}) + "\n"
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as file:
                if self._is_torn(file):
                    line = "\n" + line
                file.write(line.encode())

    def idle_left_s(self, currency: str) -> float:
        """Seconds that the worker would still idle after the newest order; 0 if it does not."""
        newest = next(reversed(list(self._lines())), {})
        if newest.get("currency") != currency or "idle_until" not in newest:
            return 0.0
        left = datetime.fromisoformat(newest["idle_until"]) - self.now()
        return min(max(left.total_seconds(), 0.0), newest["tail_s"])

    def of_month(self, month: Month, currency: str) -> tuple[int, Cost]:
        """What was spent in a month: for how many jobs, and how much."""
        total, jobs = Cost.nothing(currency), set[str]()
        for line in self._lines():
            if line["at"].startswith(f"{month}-") and line["currency"] == currency:
                total = total.plus(Cost(**{each.name: line[each.name] for each in fields(Cost)}))
                jobs |= {line["job_id"]} if "job_id" in line else set()
        return len(jobs), total

    def pace(self, strategy: str) -> float | None:
        """Seconds of computing per second of audio, as the newest orders took that went well."""
        factors = [
            line["computing_s"] / line["audio_s"]
            for line in self._lines()
            if line.get("strategy") == strategy and line.get("audio_s") and line.get("whole", True)
        ]
        return median(factors[-_NEWEST:]) if factors else None

    @staticmethod
    def _is_torn(file: BinaryIO) -> bool:
        """Whether the last line has no end: a power cut in the middle of it."""
        if not file.seek(0, SEEK_END):
            return False
        file.seek(-1, SEEK_END)
        return file.read(1) != b"\n"

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            with suppress(ValueError):  # a torn one
                yield json.loads(line)


class Spending:
    """What one run spends on a worker."""

    def __init__(
        self,
        rate: Rate,
        journal: Journal,
        *,
        profile: str,
        cap: float | None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing spent.

        Args:
            rate: What the worker costs.
            journal: What was spent before.
            profile: Name of the profile.
            cap: What it may spend in a calendar month (UTC), None for any amount.
            clock_s: The clock.
        """
        self._rate = rate
        self._journal = journal
        self._profile = profile
        self._cap = cap
        self._clock_s = clock_s
        self._asked_s: float | None = None
        self._taken_s: float | None = None
        self._heard_s = 0.0
        self._is_whole = False
        self._watch = Watch(clock_s)
        self.total = Cost.nothing(rate.currency)

    @property
    def rate(self) -> Rate:
        """What the worker costs."""
        return self._rate

    def expected(self, work: Work) -> float | None:
        """What computing will cost, without waking and idling; None if no order tells."""
        factor = self._journal.pace(work.strategy)
        if factor is None or work.audio_s is None:
            return None
        return self._rate.of(factor * work.audio_s)

    def check_cap(self, work: Work) -> None:
        """Refuse what the month has no money for. Raises CapReached."""
        if self._cap is None:
            return
        spent = self._journal.of_month(Month.now(), self._rate.currency)[1].amount
        expected = self.expected(work) or 0.0
        if why := beyond_cap(self._profile, self._cap, spent, expected, self._rate):
            raise CapReached(why)

    def ask(self) -> None:
        """The worker is woken, or given an order: it does not idle any more."""
        if self._asked_s is not None:
            return
        for journal in self._journal.beside():
            if unneeded_s := journal.idle_left_s(self._rate.currency):
                self._add(journal, tail_s=-unneeded_s)
        self._asked_s, self._taken_s, self._is_whole = self._clock_s(), None, False
        self._watch = Watch(self._clock_s)

    def hear(self, report: Report) -> None:
        """Take a report when it comes."""
        self._watch.hear(report)
        self._is_whole = report.status is Status.COMPLETE
        if report.phase is not Phase.WAKING:
            self._heard_s = self._clock_s()
            self._taken_s = self._heard_s if self._taken_s is None else self._taken_s

    def end(self, work: Work) -> Cost | None:
        """The order has ended, well or not. Returns what it cost without the tail, if anything."""
        asked_s, taken_s = self._asked_s, self._taken_s
        self._asked_s = None
        if asked_s is None or taken_s is None:
            return None
        idles_for = timedelta(seconds=self._rate.idle_s - (self._clock_s() - self._heard_s))
        cost = self._add(
            self._journal,
            start_s=taken_s - asked_s,
            computing_s=self._heard_s - taken_s,
            transfer_s=self._watch.course().transfer_s,
            tail_s=self._rate.idle_s,
            **asdict(work),
            whole=self._is_whole,
            idle_until=(self._journal.now() + idles_for).isoformat(timespec="milliseconds"),
        )
        return replace(cost, tail_s=0.0, amount=self._rate.of(cost.start_s + cost.computing_s))

    def _add(
        self,
        journal: Journal,
        *,
        start_s: float = 0.0,
        computing_s: float = 0.0,
        transfer_s: float = 0.0,
        tail_s: float,
        **facts: object,
    ) -> Cost:
        amount = self._rate.of(start_s + computing_s + tail_s)
        cost = Cost(self._rate.currency, amount, start_s, computing_s, transfer_s, tail_s)
        journal.add(**cost.as_json(), **facts)
        self.total = self.total.plus(cost)
        return cost
