import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemset.audio.peaks import SAMPLES_PER_PIXEL, PeaksWriter, read_peaks
from stemset.errors import NoSpace, OutputInvalid, OutputUnwritable


def noise(frames: int, channels: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(frames).uniform(-1, 1, (channels, frames)).astype(np.float32)


def write(folder: Path, signal: NDArray[np.floating], cuts: tuple[int, ...] = ()) -> list[Path]:
    writer = PeaksWriter(folder / "stem", 48_000)
    for block in np.split(signal, cuts, axis=1):
        writer.push(block)
    return list(writer.close())


def push_again_and_again(writer: PeaksWriter, block: NDArray[np.float32]) -> None:
    for _ in range(100):
        writer.push(block)


def pixels(path: Path) -> list[list[int]]:
    peaks = read_peaks(path)
    return np.stack([peaks.minima, peaks.maxima], axis=1).tolist()


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("frames", [1, 255, 256, 257, 100_000])
def test_peaks_are_the_extremes_of_every_pixel(tmp_path: Path, frames: int, channels: int) -> None:
    signal = noise(frames, channels)

    for path, count in zip(write(tmp_path, signal), SAMPLES_PER_PIXEL, strict=True):
        parts = [signal[:, start : start + count] for start in range(0, frames, count)]
        assert pixels(path) == [[int(part.min() * 128), int(part.max() * 128)] for part in parts]


def test_file_has_the_header_of_audiowaveform(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1000))[0]

    assert path.name == "stem.peaks-256.dat"
    header = struct.unpack("<iIiiIi", path.read_bytes()[:24])
    assert header == (2, 1, 48_000, 256, 4, 1)
    assert path.stat().st_size == 24 + 2 * 4


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (1.0, 127), (2.5, 127), (0.999, 127), (0.5, 64), (0.0079, 1), (0.0077, 0),
        (-0.0077, 0), (-0.0079, -1), (-0.5, -64), (-0.999, -127), (-1.0, -128), (-2.5, -128),
    ],
)  # fmt: skip
def test_sample_is_scaled_as_by_audiowaveform(tmp_path: Path, sample: float, value: int) -> None:
    path = write(tmp_path, np.array([[sample]]))[0]

    assert pixels(path) == [[value, value]]


@given(cuts=st.lists(st.integers(0, 40_000), max_size=6))
@settings(deadline=None, max_examples=30)
def test_files_do_not_depend_on_how_the_stem_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    signal = noise(40_000)
    whole = write(tmp_path_factory.mktemp("whole"), signal)
    cut = write(tmp_path_factory.mktemp("cut"), signal, tuple(sorted(cuts)))

    assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in cut]


@pytest.mark.parametrize("signal", [None, np.zeros((2, 0))])
def test_files_of_no_samples_hold_no_pixels(
    tmp_path: Path, signal: NDArray[np.float64] | None
) -> None:
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    if signal is not None:
        writer.push(signal)

    assert [pixels(path) for path in writer.close()] == [[], [], [], []]


def test_writer_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    block = noise(480_000)
    writer.push(block)
    before = psutil.Process().memory_info().rss

    for _ in range(60):
        writer.push(block)

    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert psutil.Process().memory_info().rss - before < 4e6
    assert written > 0.9 * 2 * 61 * 480_000 / 256
    writer.abort()


def test_abort_removes_the_files(tmp_path: Path) -> None:
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    writer.push(noise(1000))

    writer.abort()
    writer.abort()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("samples", SAMPLES_PER_PIXEL)
def test_full_disk_says_so_and_abort_leaves_nothing(tmp_path: Path, samples: int) -> None:
    (tmp_path / f"stem.peaks-{samples}.dat").symlink_to("/dev/full")
    writer = PeaksWriter(tmp_path / "stem", 48_000)
    writer.push(noise(1000))

    with pytest.raises(NoSpace, match=f"peaks-{samples}"):
        writer.close()
    writer.abort()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_disk_that_becomes_full_says_so_and_abort_leaves_nothing(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        writer = PeaksWriter(tmp_path / "stem", 48_000)
        with pytest.raises(NoSpace):
            push_again_and_again(writer, noise(480_000))
        writer.abort()
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_folder_that_is_missing_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        PeaksWriter(tmp_path / "missing" / "stem", 48_000)


def test_second_file_unwritable_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "stem.peaks-4096.dat").mkdir()

    with pytest.raises(OutputUnwritable, match="peaks-4096"):
        PeaksWriter(tmp_path / "stem", 48_000)

    assert [path.name for path in tmp_path.iterdir()] == ["stem.peaks-4096.dat"]


@pytest.mark.parametrize("content", [b"", b"x" * 23, b"x" * 100])
def test_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.dat").write_bytes(content)

    with pytest.raises(OutputInvalid, match=r"other\.dat"):
        read_peaks(tmp_path / "other.dat")


def test_file_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, noise(1000))[0]
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(OutputInvalid, match="31 bytes; its header promises 4 pixels"):
        read_peaks(path)


def test_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputInvalid, match="No such file"):
        read_peaks(tmp_path / "missing.dat")
