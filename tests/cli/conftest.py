"""Fixtures of the command line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from program import Program, Stemset, write_take


@pytest.fixture
def stemset(tmp_path: Path, example: Path) -> Stemset:
    """The program, run in ``tmp_path``, with the default model installed."""
    del example
    return Program(tmp_path)


@pytest.fixture
def take(tmp_path: Path, song: NDArray[np.float32]) -> Path:
    """A recording of 2 s, 16 bit."""
    return write_take(tmp_path / "take.wav", song[:, 100_000 : 100_000 + 88_200])


@pytest.fixture
def long_take(tmp_path: Path, song: NDArray[np.float32]) -> Path:
    """A recording of 65 s: long enough to be caught at work."""
    return write_take(tmp_path / "long.wav", np.tile(song, (1, 6)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB, less than the stems of ``take`` need."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "stemset-test", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk can be made only by root on Linux")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
