import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemset.audio.peaks import SAMPLES_PER_PIXEL, PeaksWriter, read_peaks
from stemset.errors import NoSpace


def noise(frames: int, channels: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(frames).uniform(-1, 1, (channels, frames)).astype(np.float32)


def write(folder: Path, signal: NDArray[np.float32], cuts: tuple[int, ...] = ()) -> list[Path]:
    writer = PeaksWriter(folder / "stem", 48_000)
    for block in np.split(signal, cuts, axis=1):
        writer.push(block)
    return list(writer.close())


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 100_000])
def test_peaks_are_the_extremes_of_every_pixel(tmp_path: Path, frames: int) -> None:
    signal = noise(frames)

    for path, count in zip(write(tmp_path, signal), SAMPLES_PER_PIXEL, strict=True):
        peaks = read_peaks(path)
        parts = [signal[:, start : start + count] for start in range(0, frames, count)]
        expected = [np.floor(np.array([p.min(), p.max()]) * 128).clip(-128, 127) for p in parts]
        assert peaks.samples_per_pixel == count
        np.testing.assert_array_equal(np.stack([peaks.minima, peaks.maxima], axis=1), expected)


def test_file_has_the_header_of_audiowaveform(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1000))[0]

    assert path.name == "stem.peaks-256.dat"
    header = struct.unpack("<iIiiIi", path.read_bytes()[:24])
    assert header == (2, 1, 48_000, 256, 4, 1)
    assert path.stat().st_size == 24 + 2 * 4


@given(cuts=st.lists(st.integers(0, 40_000), max_size=6))
@settings(deadline=None, max_examples=30)
def test_files_do_not_depend_on_how_the_stem_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    signal = noise(40_000)
    whole = write(tmp_path_factory.mktemp("whole"), signal)
    cut = write(tmp_path_factory.mktemp("cut"), signal, tuple(sorted(cuts)))

    assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in cut]


def test_abort_removes_the_files(tmp_path: Path) -> None:
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    writer.push(noise(1000))

    writer.abort()

    assert list(tmp_path.iterdir()) == []


def test_full_disk_says_so(tmp_path: Path) -> None:
    (tmp_path / "stem.peaks-256.dat").symlink_to("/dev/full")
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    writer.push(noise(1000))

    with pytest.raises(NoSpace):
        writer.close()
    writer.abort()


@pytest.mark.parametrize("content", [b"", b"x" * 23, b"x" * 100])
def test_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.dat").write_bytes(content)

    with pytest.raises(ValueError, match="no peaks file"):
        read_peaks(tmp_path / "other.dat")
