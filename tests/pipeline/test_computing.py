"""The computing process, run as its supervisor runs it: a process, lines in, lines out."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from order_of import order_of, put_input
from program import write_take

from stemset.orders.messages import ComputingSettings, Message, Status
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

WAIT_S = 60


class Computing:
    """A computing process over a bucket that is a folder."""

    def __init__(self, bucket: Path, scratch: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stemset.pipeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        store = StoreSettings("folder", str(bucket)).as_json()
        self.send(ComputingSettings(store=store, scratch=str(scratch)))

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(message.line())
        self.process.stdin.flush()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def reports(self) -> list[dict[str, Any]]:
        """The reports of one order, to its end."""
        lines = [self.line()]
        while lines[-1]["status"] not in {Status.COMPLETE, Status.ERROR}:
            lines.append(self.line())
        return lines

    def end_of_input(self) -> tuple[int, str]:
        """Close its input; returns its exit status and what it logged."""
        _, logged = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, logged.decode()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "bucket").mkdir()
    return open_store(StoreSettings("folder", str(tmp_path / "bucket")))


@pytest.fixture
def recording(tmp_path: Path, song: NDArray[np.float32], store: Store) -> Path:
    path = write_take(tmp_path / "take.wav", np.tile(song, (1, 3)))
    put_input(store, path)
    return path


@pytest.fixture
def computing(tmp_path: Path, store: Store, example: Path) -> Iterator[Computing]:
    del store, example  # the bucket and the model must be there
    process = Computing(tmp_path / "bucket", tmp_path / "scratch")
    yield process
    process.process.kill()
    process.process.communicate()


def test_computing_carries_out_one_order_after_another_and_ends_with_its_input(
    computing: Computing, recording: Path
) -> None:
    assert computing.line()["kind"] == "ready"
    for attempt in (1, 2):
        computing.send(order_of(recording, attempt=attempt))
        reports = computing.reports()

        assert reports[0]["status"] == "accepted"
        assert [each["seq"] for each in reports] == list(range(len(reports)))
        assert reports[-1]["stems"] == ["vocals", "accompaniment"]
        assert set(reports[-1]["timings"]) == {"downloading", "separating", "uploading"}
    status, logged = computing.end_of_input()

    assert status == 0
    lines = [json.loads(line) for line in logged.splitlines()]
    said = [line["event"] for line in lines if line["attempt"] == 2]
    assert said == [
        "Downloading input: inputs/h4n/take.wav",
        "Processing with strategy: spleeter-2stems",
        "Uploading 2 stems to R2",
    ]
    assert {line["job_id"] for line in lines} == {order_of(recording).job_id}


def test_computing_reports_an_error_and_takes_the_next_order(
    computing: Computing, recording: Path, tmp_path: Path
) -> None:
    computing.line()
    missing = tmp_path / "missing.wav"
    missing.write_bytes(b"never uploaded")
    computing.send(order_of(missing))
    assert computing.reports()[-1]["error"]["code"] == "input_changed"

    computing.send(order_of(recording, attempt=2))
    assert computing.reports()[-1]["status"] == "complete"


def test_computing_ends_with_its_reader_in_the_middle_of_a_job(
    computing: Computing, recording: Path
) -> None:
    computing.line()
    computing.send(order_of(recording))
    while computing.line().get("phase") != "separating":
        pass
    process = psutil.Process(computing.process.pid)
    children = process.children(recursive=True)
    assert computing.process.stdout is not None

    computing.process.stdout.close()

    gone, alive = psutil.wait_procs([process, *children], timeout=10)
    assert alive == [], gone


def test_computing_killed_leaves_a_scratch_that_the_next_removes(
    computing: Computing, recording: Path, tmp_path: Path
) -> None:
    computing.line()
    computing.send(order_of(recording))
    while computing.line().get("phase") != "separating":
        pass
    os.kill(computing.process.pid, signal.SIGKILL)
    computing.process.wait(WAIT_S)
    (left,) = (tmp_path / "scratch").glob("stemset-scratch-*")

    after = Computing(tmp_path / "bucket", tmp_path / "scratch")
    try:
        after.line()
        after.send(order_of(recording, attempt=2))

        assert after.reports()[-1]["status"] == "complete"
        assert not left.exists()
    finally:
        status, _ = after.end_of_input()
    assert status == 0
