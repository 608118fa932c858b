"""What a person, or a program, sees of a batch.

On a terminal: progress bars with time left, then what was made. Elsewhere: only what was made.
With ``--json``: one JSON object a line on standard output, each with ``schema_version`` and
``event``: ``planned``, ``progress``, ``skipped``, ``complete``, ``error``, ``summary``; remote work
adds ``uploaded``, ``ordered`` and ``found``, and ``job_id`` to all that are about a job.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stemset.cli.human_report import HumanReport, Spent, shown
from stemset.cli.progress import OnProgress, Progress
from stemset.dispatch.cost import Cost
from stemset.errors import StemsetError

if TYPE_CHECKING:
    from stemset.pipeline.plan import Job

__all__ = ["JsonReport", "Outlook", "Report", "Spent", "make_report", "shown"]

JSON_SCHEMA_VERSION = 1


class Report(Protocol):
    """Where a batch says what happens. ``job_id`` is given where the work is remote."""

    def planned(self, job: "Job", job_id: str | None = None) -> None:
        """It will be split, or would be in a dry run."""

    def foreseen(self, job: "Job", job_id: str, outlook: "Outlook") -> None:
        """In a dry run: what remote work would consist of."""

    def uploaded(self, job: "Job", job_id: str, key: str, *, already: bool) -> None:
        """The recording is in the bucket, perhaps already before."""

    def ordered(self, job: "Job", job_id: str, attempt: int) -> None:
        """An order goes to the worker."""

    def found(self, job: "Job", job_id: str, attempt: str) -> None:
        """Its stems stand in the bucket, and nothing is ordered."""

    def progress(self, job: "Job", job_id: str | None = None) -> AbstractContextManager[OnProgress]:
        """It is worked on, for as long as the context lasts; any thread may tell how far it is."""
        ...

    def skipped(self, path: Path, folder: Path | None) -> None:
        """It is done already, in this folder, or was given twice."""

    def complete(
        self,
        job: "Job",
        metadata: Mapping[str, Any],
        job_id: str | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Its output stands; the cost is without the worker's tail."""

    def failed(self, path: Path, error: StemsetError, job_id: str | None = None) -> None:
        """It failed."""

    def end(self, done: int, failed: int, spent: Spent | None = None) -> None:
        """All recordings were looked at."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What remote work would consist of.

    Attributes:
        key: Key of the recording in the bucket.
        upload: Whether it would be uploaded.
        attempt: Number of the attempt that would be ordered; None if the stems stand already.
        expected: What computing would cost, waking and idling left out; None if nobody knows.
        currency: That cost's.
    """

    key: str
    upload: bool
    attempt: int | None
    expected: float | None = None
    currency: str | None = None


def make_report(*, as_json: bool, dry_run: bool = False) -> Report:
    """Choose the report."""
    return JsonReport() if as_json else HumanReport(dry_run=dry_run)


class JsonReport:
    """JSON lines; see the module."""

    def planned(self, job: "Job", job_id: str | None = None) -> None:
        """Print what will be made."""
        self._print("planned", job.recording.path, job_id, **_plan(job))

    def foreseen(self, job: "Job", job_id: str, outlook: Outlook) -> None:
        """Print what would be made, and how."""
        remote: dict[str, object] = {
            "key": outlook.key,
            "upload": outlook.upload,
            "attempt": outlook.attempt,
        }
        if outlook.currency is not None:
            remote["cost"] = {"currency": outlook.currency, "computing": outlook.expected}
        self._print("planned", job.recording.path, job_id, **_plan(job), remote=remote)

    def uploaded(self, job: "Job", job_id: str, key: str, *, already: bool) -> None:
        """Print where it lies."""
        size = job.recording.size_bytes
        self._print("uploaded", job.recording.path, job_id, key=key, bytes=size, already=already)

    def ordered(self, job: "Job", job_id: str, attempt: int) -> None:
        """Print the attempt's number."""
        self._print("ordered", job.recording.path, job_id, attempt=attempt)

    def found(self, job: "Job", job_id: str, attempt: str) -> None:
        """Print the name of the attempt's folder."""
        self._print("found", job.recording.path, job_id, attempt=attempt)

    @contextmanager
    def progress(self, job: "Job", job_id: str | None = None) -> Iterator[OnProgress]:
        """Print how far it is, each time it says so."""

        def show(progress: Progress) -> None:
            self._print(
                "progress",
                job.recording.path,
                job_id,
                phase=progress.phase,
                progress=round(progress.fraction, 4),
                eta_s=None if progress.eta_s is None else round(progress.eta_s, 1),
            )

        yield show

    def skipped(self, path: Path, folder: Path | None) -> None:
        """Print where it is done."""
        self._print("skipped", path, output=None if folder is None else str(folder))

    def complete(
        self,
        job: "Job",
        metadata: Mapping[str, Any],
        job_id: str | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Print the metadata."""
        facts: dict[str, Any] = {"output": str(job.output), "metadata": metadata}
        if cost is not None:
            facts["cost"] = cost.as_json()
        self._print("complete", job.recording.path, job_id, **facts)

    def failed(self, path: Path, error: StemsetError, job_id: str | None = None) -> None:
        """Print the error's code and message."""
        self._print(
            "error", path, job_id, code=error.code, message=str(error), retryable=error.retryable
        )

    def end(self, done: int, failed: int, spent: Spent | None = None) -> None:
        """Print the counts, and what was spent."""
        facts: dict[str, Any] = {"done": done, "failed": failed}
        if spent is not None:
            facts["cost"] = {**spent.cost.as_json(), "rate": asdict(spent.rate)}
        self._print("summary", None, **facts)

    def _print(
        self, event: str, path: Path | None, job_id: str | None = None, **facts: object
    ) -> None:
        line: dict[str, object] = {"schema_version": JSON_SCHEMA_VERSION, "event": event}
        if path is not None:
            line["file"] = os.fsencode(path).decode("utf-8", "replace")
        if job_id is not None:
            line["job_id"] = job_id
        sys.stdout.write(json.dumps({**line, **facts}) + "\n")
        sys.stdout.flush()


def _plan(job: "Job") -> dict[str, object]:
    return {
        "output": str(job.output),
        "sha256": job.recording.sha256,
        "strategy": job.strategy_name,
        "stems": list(job.strategy.stems()),
        "duration_s": job.source.duration_s,
        "encoding": job.encoding.as_json(),
    }
