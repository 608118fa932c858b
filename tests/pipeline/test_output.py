import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stemset.errors import NoSpace, OutputUnwritable
from stemset.pipeline.output import making_output, read_metadata


def make(root: Path, name: str = "song", text: str = "new") -> None:
    with making_output(root, name) as output:
        (output.part / "vocals.flac").write_text(text)
        output.commit({"text": text})


def test_output_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    make(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["song"]
    assert read_metadata(tmp_path / "song") == {"text": "new"}


def test_output_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), making_output(tmp_path, "song") as output:
        (output.part / "vocals.flac").write_text("half")
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []


def test_output_replaces_the_former_one(tmp_path: Path) -> None:
    make(tmp_path, text="old")
    make(tmp_path, text="new")

    assert (tmp_path / "song" / "vocals.flac").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_output_of_a_killed_run_is_cleared_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from stemset.pipeline.output import making_output\n"
        "with making_output(pathlib.Path(sys.argv[1]), 'song') as output:\n"
        "    (output.part / 'vocals.flac').write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert (tmp_path / ".song.part" / "vocals.flac").exists()

    make(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_output_of_a_run_killed_between_the_renames_is_put_back(tmp_path: Path) -> None:
    make(tmp_path, text="old")
    (tmp_path / "song").rename(tmp_path / ".song.old")

    with pytest.raises(ZeroDivisionError), making_output(tmp_path, "song"):
        raise ZeroDivisionError

    assert json.loads((tmp_path / "song" / "metadata.json").read_text()) == {"text": "old"}


def test_output_that_many_processes_want_is_made_by_one_at_a_time(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\n"
        "from stemset.errors import OutputBusy\n"
        "from stemset.pipeline.output import making_output\n"
        "made = 0\n"
        "while made < 50:\n"
        "    try:\n"
        "        with making_output(pathlib.Path(sys.argv[1]), 'song') as output:\n"
        "            (output.part / 'mine').open('x').close()\n"
        "            made += 1\n"
        "    except OutputBusy:\n"
        "        pass\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]

    processes = [subprocess.Popen(command) for _ in range(3)]

    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_output_below_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputUnwritable, match="cannot be written"):
        make(tmp_path / "file")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_output_on_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("cannot mount here")
    try:
        with pytest.raises(NoSpace), making_output(disk, "song") as output:
            output.commit({"text": "x" * 200_000})
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
