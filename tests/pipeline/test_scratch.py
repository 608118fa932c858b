import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stemset.errors import OutputUnwritable
from stemset.pipeline._scratch import own_scratch

HOLD = """
import sys
from stemset.pipeline._scratch import own_scratch
with own_scratch(sys.argv[1]) as folder:
    (folder / "recording.wav").write_bytes(b"samples")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(place: Path) -> tuple["subprocess.Popen[str]", Path]:
    """Another process that holds a scratch folder, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: "subprocess.Popen[str]", signal_number: int) -> None:
    process.send_signal(signal_number)
    process.communicate(timeout=10)


def test_scratch_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with own_scratch(str(tmp_path / "new")) as folder:
        (folder / "job").mkdir()
        (folder / "job" / "take.wav").write_bytes(b"samples")

    assert not folder.exists()


def test_scratch_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    process, left = holder(tmp_path)
    end(process, signal.SIGKILL)
    assert (left / "recording.wav").exists()

    with own_scratch(str(tmp_path)):
        assert not left.exists()


def test_scratch_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    process, left = holder(tmp_path)
    try:
        with own_scratch(str(tmp_path)):
            assert (left / "recording.wav").exists()
    finally:
        end(process, signal.SIGKILL)


def test_scratch_of_nobody_named_is_this_users_own() -> None:
    with own_scratch(None) as folder:
        assert folder.parent.name == f"stemset-{os.getuid()}"


def test_scratch_where_there_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    with pytest.raises(OutputUnwritable, match="taken"), own_scratch(str(tmp_path / "taken")):
        pass
