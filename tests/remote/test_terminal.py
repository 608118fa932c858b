"""What a person sees of remote work, on a terminal and elsewhere."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from remote_run import Take

PROGRAM = Path(__file__).with_name("far_program.py")
LIMIT_S = 60


@pytest.fixture
def folder(tmp_path: Path, example: Path) -> Path:
    del example  # its model is what is needed
    for name in ("bucket", "scratch"):
        (tmp_path / name).mkdir()
    return tmp_path


def on_a_terminal(*arguments: object) -> str:
    """Run the program on a terminal and return all that it wrote."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        env={**os.environ, "HUMAN": "1", "TERM": "xterm", "COLUMNS": "200"},
        stdout=its,
        stderr=its,
    )
    os.close(its)
    written, until = b"", time.monotonic() + LIMIT_S
    try:
        while time.monotonic() < until and select.select([ours], [], [], LIMIT_S)[0]:
            try:
                written += os.read(ours, 65_536)
            except OSError:  # the other side is closed
                break
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return written.decode()


def test_terminal_shows_the_steps_and_then_what_was_made(folder: Path, take: Take) -> None:
    written = on_a_terminal(folder, "plain", take(), take("b.wav", seed=2))

    assert "separating" in written
    assert "fetching stems" in written
    assert written.rstrip().endswith("The stems add up to the mix exactly.")
    assert written.count("of audio split in") == 2
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back


def test_elsewhere_there_is_only_what_was_made(folder: Path, take: Take) -> None:
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), "plain", str(take())],
        env={**os.environ, "HUMAN": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )

    first, *stems, total = ended.stdout.splitlines()
    assert "take.wav: 0.5 s of audio split in" in first
    assert [line.partition(".flac")[1] for line in stems] == [".flac", ".flac"]
    assert total == "  The stems add up to the mix exactly."
