"""Remote work in this process, against a bucket that is a folder, and what it said."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandIn
from structlog.testing import capture_logs

from stemset.cli.batch import Batch
from stemset.cli.remote.connection import RemoteConnection
from stemset.cli.remote.run import run_remote
from stemset.cli.remote.spending import Spending
from stemset.cli.report import make_report
from stemset.storage.store import Store

Take = Callable[..., Path]


@dataclass(frozen=True)
class Ran:
    """What a run said, and its exit code."""

    code: int
    events: list[dict[str, Any]]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] in kinds]


@dataclass(frozen=True)
class Remote:
    """Runs remote work in this process.

    Attributes:
        batch: What is made.
        connection: Bucket and worker.
        worker: The worker.
        bucket: The folder that is the bucket.
        media: Folder of the profile's outputs.
        woken: Grows when the worker is woken.
        spending: Counts what it costs, None if nothing does.
    """

    batch: Batch
    connection: RemoteConnection
    worker: StandIn
    bucket: Path
    media: Path
    woken: list[str]
    capsys: pytest.CaptureFixture[str]
    spending: Spending | None = None

    @property
    def store(self) -> Store:
        return self.connection.store

    def __call__(self, *paths: Path, **changes: Any) -> Ran:
        code, out = self._run(*paths, as_json=True, **changes)
        return Ran(code, [json.loads(line) for line in out.splitlines()])

    def in_words(self, *paths: Path, **changes: Any) -> str:
        """What a person is told."""
        return self._run(*paths, as_json=False, **changes)[1]

    def _run(self, *paths: Path, as_json: bool, **changes: Any) -> tuple[int, str]:
        self.capsys.readouterr()
        batch = replace(self.batch, **changes)
        report = make_report(as_json=as_json, dry_run=batch.dry_run)
        with capture_logs():  # the worker's, which is another process in life
            code = run_remote(batch, paths, report, lambda: self.connection, self.spending)
        return code, self.capsys.readouterr().out

    def output(self) -> Path:
        (output,) = self.media.iterdir()
        return output

    def attempts(self) -> list[str]:
        """Names of the attempts' folders in the bucket."""
        return sorted(path.name for path in self.bucket.glob("outputs/far/*/*-*"))
