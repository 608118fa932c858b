"""Runs that end in the middle: Ctrl-C, a termination, a kill; and the run after them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from remote_run import Take

from stemset.pipeline.verify import verify_output

PROGRAM = Path(__file__).with_name("far_program.py")
LIMIT_S = 60


class Far:
    """Starts the program in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bucket", "scratch"):
            (folder / name).mkdir(exist_ok=True)

    @contextmanager
    def start(
        self, scene: str, *paths: Path, crash_at: str = ""
    ) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.folder), scene, *map(str, paths)],
            env={**os.environ, "STEMSET_CRASH_AT": crash_at},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, *paths: Path, crash_at: str = "") -> tuple[int, list[dict[str, Any]], str]:
        with self.start("plain", *paths, crash_at=crash_at) as process:
            out, err = process.communicate(timeout=LIMIT_S)
        return process.returncode, [json.loads(line) for line in out.splitlines()], err

    def visible(self) -> list[Path]:
        media = self.folder / "media"
        return [path for path in media.glob("*") if not path.name.startswith(".")]

    def is_clean(self) -> bool:
        return sorted((self.folder / "media").iterdir()) == self.visible()


@pytest.fixture
def far(tmp_path: Path, example: Path) -> Far:
    del example  # its model is what is needed
    return Far(tmp_path)


def wait_for(process: "subprocess.Popen[str]", event: str) -> dict[str, Any]:
    """Read until an event is printed."""
    stop = threading.Timer(LIMIT_S, process.kill)
    stop.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if json.loads(line)["event"] == event:
                return json.loads(line)
    finally:
        stop.cancel()
    raise AssertionError(f"the program ended without {event!r}")


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events if event["event"] != "progress"]


BEFORE_THE_MANIFEST = [
    "process:claimed",
    "process:uploaded",
    "process:ordered",
    "download",
    "upload:1",
    "manifest",
]
AFTER_THE_MANIFEST = ["process:published", "process:fetched", "process:moved"]


@pytest.mark.parametrize("place", BEFORE_THE_MANIFEST + AFTER_THE_MANIFEST)
def test_run_after_a_kill_at_any_place_goes_on(far: Far, take: Take, place: str) -> None:
    path = take()

    killed, _, _ = far.run(path, crash_at=place)
    seen_between = far.visible()
    code, events, err = far.run(path)

    assert killed == -signal.SIGKILL
    assert seen_between == []
    assert code == 0, err
    (output,) = far.visible()
    assert far.is_clean()
    assert verify_output(output, path).problems == ()
    assert ("ordered" in kinds(events)) == (place in BEFORE_THE_MANIFEST)


def test_run_after_a_kill_does_not_upload_again(far: Far, take: Take) -> None:
    path = take()
    far.run(path, crash_at="process:uploaded")

    _, events, _ = far.run(path)

    (uploaded,) = [event for event in events if event["event"] == "uploaded"]
    assert uploaded["already"] is True


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_the_worker_says_how_to_go_on(
    far: Far, take: Take, number: signal.Signals
) -> None:
    path = take()
    with far.start("hold", path) as process:
        job_id = wait_for(process, "ordered")["job_id"]
        wait_for(process, "held")

        process.send_signal(number)
        begun = time.monotonic()
        _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 130
    assert time.monotonic() - begun < 5
    assert err.strip() == (
        f"Interrupted. The worker goes on with take.wav (job {job_id[:8]}); "
        "run the same command again to fetch its stems."
    )
    assert far.visible() == []
    assert far.run(path)[0] == 0


@pytest.mark.alone
@pytest.mark.parametrize("scene", ["slow", "deaf"])
def test_interrupted_in_a_download_ends_at_once_and_leaves_nothing_to_see(
    far: Far, take: Take, scene: str
) -> None:
    path = take()
    with far.start(scene, path) as process:
        wait_for(process, "stuck")

        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 130
    assert time.monotonic() - begun < 5
    assert "Nothing half-made was left" in err
    assert "Traceback" not in err
    assert far.visible() == []
    code, events, _ = far.run(path)
    assert code == 0
    assert "ordered" not in kinds(events)
    assert far.is_clean()
