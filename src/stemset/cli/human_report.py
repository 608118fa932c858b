"""A batch in words, with progress bars on a terminal."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemset.cli.bars import Bars, clock
from stemset.cli.progress import OnProgress
from stemset.dispatch.cost import Cost, Rate, in_money
from stemset.errors import StemsetError

if TYPE_CHECKING:
    from stemset.cli.report import Outlook
    from stemset.pipeline.plan import Job

SHORT_ID = 8
"""Digits of a job's id that a person is shown: those that its folders in the bucket begin with."""


class HumanReport:
    """Words and progress bars; see ``report.Report``."""

    def __init__(self, *, dry_run: bool = False) -> None:
        """Set up; bars are shown only if a person sees them."""
        self._dry_run = dry_run
        self._interactive = sys.stderr.isatty() and sys.stdout.isatty()
        self._bars = Bars()

    def planned(self, job: "Job", job_id: str | None = None) -> None:
        """In a dry run, print what would be made."""
        del job_id
        if not self._dry_run:
            return
        name, length = shown(job.recording.path), _length(job)
        self._say(f"{name}: would be split ({length}) into {job.output}")
        self._notes(job)

    def foreseen(self, job: "Job", job_id: str, outlook: "Outlook") -> None:
        """Print what would be made, and how."""
        name = shown(job.recording.path)
        if outlook.attempt is None:
            self._say(f"{name}: stems stand in the bucket, would be fetched into {job.output}")
            return
        size = f"{job.recording.size_bytes / 1e6:.1f} MB"
        how = f"uploaded ({size})" if outlook.upload else "taken from the bucket"
        self._say(f"{name}: would be {how} as {outlook.key}")
        self._say(f"  and split by the worker ({_length(job)}) into {job.output}")
        self._say(f"  as attempt {outlook.attempt} of job {job_id[:SHORT_ID]}")
        if outlook.currency is not None:
            self._say(f"  {_expected_in_words(outlook)}")
        self._notes(job)

    def uploaded(self, job: "Job", job_id: str, key: str, *, already: bool) -> None:
        """Says nothing."""

    def ordered(self, job: "Job", job_id: str, attempt: int) -> None:
        """Says nothing."""

    def found(self, job: "Job", job_id: str, attempt: str) -> None:
        """Says nothing."""

    @contextmanager
    def progress(self, job: "Job", job_id: str | None = None) -> Iterator[OnProgress]:
        """Show a bar with time left."""
        del job_id
        if not self._interactive:
            yield lambda _: None
            return
        with self._bars.bar(shown(Path(job.recording.path.name))) as show:
            yield show

    def skipped(self, path: Path, folder: Path | None) -> None:
        """Print where it is done."""
        why = "given twice" if folder is None else f"done already, in {folder}"
        self._say(f"{shown(path)}: {why}")

    def complete(
        self,
        job: "Job",
        metadata: Mapping[str, Any],
        job_id: str | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Print what was made, how long it took and whether it adds up."""
        del job_id
        length = clock(metadata["recording"]["duration_s"])
        took = clock(metadata["timings"]["wall_s"])
        lines = [f"{shown(job.recording.path)}: {length} of audio split in {took}"]
        for stem in metadata["stems"].values():
            lufs = stem["measured_lufs"]
            level = "silent" if lufs is None else f"{lufs:.1f} LUFS"
            lines.append(f"  {job.output / stem['stem_url']}  ({level})")
        if total := metadata["sum_to_mix"]:
            depth = metadata["encoding"]["depth"]
            lines.append(f"  {_sum_in_words(total, metadata['gain_db'], depth)}")
        if cost is not None:
            lines.append(f"  {_cost_in_words(cost)}")
        lines += [f"  note: {warning}" for warning in metadata["warnings"]]
        self._say("\n".join(lines))

    def failed(self, path: Path, error: StemsetError, job_id: str | None = None) -> None:
        """Print the error, which mostly names the file."""
        about = "" if path.name in str(error) else f"{shown(path)}: "
        job = f" (job {job_id[:SHORT_ID]})" if job_id else ""
        with self._bars.hidden():
            print(f"{about}{error} [{error.code}]{job}", file=sys.stderr)  # noqa: T201

    def end(self, done: int, failed: int, spent: "Spent | None" = None) -> None:
        """Print the counts, if there was more than one recording, and what was spent."""
        if spent is not None and spent.cost.awake_s:
            self._say(_spent_in_words(spent))
        if not done + failed:
            self._say("There are no recordings here.")
        elif failed and done:
            print(f"{done} done, {failed} failed.", file=sys.stderr)  # noqa: T201

    def _notes(self, job: "Job") -> None:
        for note in (*job.source.warnings, *job.encoding.notes):
            self._say(f"  note: {note}")

    def _say(self, text: str) -> None:
        with self._bars.hidden():
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run spent on the worker.

    Attributes:
        cost: All of it.
        rate: At this price.
    """

    cost: Cost
    rate: Rate


def shown(path: Path) -> str:
    """A path on one line, without control characters."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _length(job: "Job") -> str:
    return clock(job.source.duration_s) if job.source.duration_s else "unknown length"


def _expected_in_words(outlook: "Outlook") -> str:
    if outlook.expected is None or outlook.currency is None:
        return "what it costs is known after the first order"
    return f"for about {in_money(outlook.expected, outlook.currency)}, waking and idling left out"


def _cost_in_words(cost: Cost) -> str:
    start = f", {clock(cost.start_s)} to wake it" if cost.start_s >= 1 else ""
    transfer = f", {clock(cost.transfer_s)} of it transfers" if cost.transfer_s >= 1 else ""
    worked = f"{clock(cost.computing_s)} of the worker{transfer}{start}"
    return f"{worked}: {in_money(cost.amount, cost.currency)}"


def _spent_in_words(spent: Spent) -> str:
    cost, rate = spent.cost, spent.rate
    parts = (
        f"start {clock(cost.start_s)}, work {clock(cost.computing_s)}, idle {clock(cost.tail_s)}"
    )
    price = f"{in_money(rate.hour, rate.currency)} an hour of {rate.name}, {rate.as_of}"
    return (
        f"The worker is awake for {clock(cost.awake_s)} in all ({parts}): "
        f"{in_money(cost.amount, cost.currency)} ({price})."
    )


def _sum_in_words(total: Mapping[str, Any], gain_db: float, depth: str | None) -> str:
    mix = f"the mix at {gain_db:.2f} dB" if gain_db else "the mix"
    if total["exact"]:
        return f"The stems add up to {mix} exactly."
    if depth is not None and depth.isdigit():
        # The mix itself has more bits than the file: their sum is the mix, rounded once.
        return f"The stems add up to {mix} in the last of {depth} bits."
    before = " before encoding" if depth is None else ""
    return f"The stems add up to {mix} within {total['error_db']:.0f} dB{before}."
