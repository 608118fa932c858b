"""Fixtures of the command line."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from program import Program, Stemset, write_take
from small_disks import mounted


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
    with mounted(tmp_path / "disk", "300k") as folder:
        yield folder
