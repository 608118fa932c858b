"""What a person, or a program, sees of a batch.

On a terminal: a progress bar with time left, then what was made. Elsewhere: only what was made.
With ``--json``: one JSON object a line on standard output, each with ``schema_version`` and
``event``: ``planned``, ``progress``, ``skipped``, ``complete``, ``error``, ``summary``.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stemset.errors import StemsetError

if TYPE_CHECKING:
    from stemset.pipeline.plan import Job
    from stemset.pipeline.run import Progress

JSON_SCHEMA_VERSION = 1

OnProgress = Callable[["Progress"], None]


class Report(Protocol):
    """Where a batch says what happens."""

    def begin(self, path: Path) -> None:
        """A recording is looked at."""

    def planned(self, job: "Job") -> None:
        """It will be split, or would be in a dry run."""

    def progress(self, job: "Job") -> AbstractContextManager[OnProgress]:
        """It is being split, for as long as the context lasts."""
        ...

    def skipped(self, path: Path, folder: Path | None) -> None:
        """It is done already, in this folder, or was given twice."""

    def complete(self, job: "Job", metadata: Mapping[str, Any]) -> None:
        """Its output stands."""

    def failed(self, path: Path, error: StemsetError) -> None:
        """It failed."""

    def end(self, done: int, failed: int) -> None:
        """All recordings were looked at."""


def make_report(*, as_json: bool, dry_run: bool = False) -> Report:
    """Choose the report."""
    return JsonReport() if as_json else HumanReport(dry_run=dry_run)


class JsonReport:
    """JSON lines; see the module."""

    def begin(self, path: Path) -> None:
        """Says nothing."""

    def planned(self, job: "Job") -> None:
        """Print what will be made."""
        self._print(
            "planned",
            job.recording.path,
            output=str(job.output),
            sha256=job.recording.sha256,
            strategy=job.strategy_name,
            stems=list(job.strategy.stems()),
            duration_s=job.source.duration_s,
            encoding=job.encoding.as_json(),
        )

    @contextmanager
    def progress(self, job: "Job") -> Iterator[OnProgress]:
        """Print how far it is, each time it says so."""

        def show(progress: "Progress") -> None:
            self._print(
                "progress",
                job.recording.path,
                phase=progress.phase,
                progress=round(progress.fraction, 4),
                eta_s=None if progress.eta_s is None else round(progress.eta_s, 1),
            )

        yield show

    def skipped(self, path: Path, folder: Path | None) -> None:
        """Print where it is done."""
        self._print("skipped", path, output=None if folder is None else str(folder))

    def complete(self, job: "Job", metadata: Mapping[str, Any]) -> None:
        """Print the metadata."""
        self._print("complete", job.recording.path, output=str(job.output), metadata=metadata)

    def failed(self, path: Path, error: StemsetError) -> None:
        """Print the error's code and message."""
        self._print("error", path, code=error.code, message=str(error), retryable=error.retryable)

    def end(self, done: int, failed: int) -> None:
        """Print the counts."""
        self._print("summary", None, done=done, failed=failed)

    def _print(self, event: str, path: Path | None, **facts: object) -> None:
        line = {"schema_version": JSON_SCHEMA_VERSION, "event": event}
        if path is not None:
            line["file"] = os.fsencode(path).decode("utf-8", "replace")
        sys.stdout.write(json.dumps({**line, **facts}) + "\n")
        sys.stdout.flush()


class HumanReport:
    """Words and a progress bar."""

    def __init__(self, *, dry_run: bool = False) -> None:
        """Set up; the bar is shown only if a person sees it."""
        self._dry_run = dry_run
        self._interactive = sys.stderr.isatty() and sys.stdout.isatty()

    def begin(self, path: Path) -> None:
        """Says nothing."""

    def planned(self, job: "Job") -> None:
        """In a dry run, print what would be made."""
        if not self._dry_run:
            return
        length = _clock(job.source.duration_s) if job.source.duration_s else "unknown length"
        self._say(f"{shown(job.recording.path)}: would be split ({length}) into {job.output}")
        for note in (*job.source.warnings, *job.encoding.notes):
            self._say(f"  note: {note}")

    @contextmanager
    def progress(self, job: "Job") -> Iterator[OnProgress]:
        """Show a bar with time left."""
        if not self._interactive:
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
        )

        columns = (
            TextColumn("{task.fields[file]}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            name = shown(Path(job.recording.path.name))
            task = bar.add_task("", total=1.0, file=name, left="loading the network")

            def show(progress: "Progress") -> None:
                left = "" if progress.eta_s is None else f"{_clock(progress.eta_s)} left"
                bar.update(task, completed=progress.fraction, left=left or str(progress.phase))

            yield show

    def skipped(self, path: Path, folder: Path | None) -> None:
        """Print where it is done."""
        why = "given twice" if folder is None else f"done already, in {folder}"
        self._say(f"{shown(path)}: {why}")

    def complete(self, job: "Job", metadata: Mapping[str, Any]) -> None:
        """Print what was made, how long it took and whether it adds up."""
        length = _clock(metadata["recording"]["duration_s"])
        took = _clock(metadata["timings"]["wall_s"])
        self._say(f"{shown(job.recording.path)}: {length} of audio split in {took}")
        for stem in metadata["stems"].values():
            lufs = stem["measured_lufs"]
            level = "silent" if lufs is None else f"{lufs:.1f} LUFS"
            self._say(f"  {job.output / stem['stem_url']}  ({level})")
        if total := metadata["sum_to_mix"]:
            depth = metadata["encoding"]["depth"]
            self._say(f"  {_sum_in_words(total, metadata['gain_db'], depth)}")
        for warning in metadata["warnings"]:
            self._say(f"  note: {warning}")

    def failed(self, path: Path, error: StemsetError) -> None:
        """Print the error, which mostly names the file."""
        about = "" if path.name in str(error) else f"{shown(path)}: "
        print(f"{about}{error} [{error.code}]", file=sys.stderr)  # noqa: T201

    def end(self, done: int, failed: int) -> None:
        """Print the counts, if there was more than one recording."""
        if not done + failed:
            self._say("There are no recordings here.")
        elif failed and done:
            print(f"{done} done, {failed} failed.", file=sys.stderr)  # noqa: T201

    def _say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _sum_in_words(total: Mapping[str, Any], gain_db: float, depth: str | None) -> str:
    mix = f"the mix at {gain_db:.2f} dB" if gain_db else "the mix"
    if total["exact"]:
        return f"The stems add up to {mix} exactly."
    if depth is not None and depth.isdigit():
        # The mix itself has more bits than the file: their sum is the mix, rounded once.
        return f"The stems add up to {mix} in the last of {depth} bits."
    before = " before encoding" if depth is None else ""
    return f"The stems add up to {mix} within {total['error_db']:.0f} dB{before}."


def _clock(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``3:05``, ``2:03:05``."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth is worth showing
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def shown(path: Path) -> str:
    """A path on one line, without control characters."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
