from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stemset.audio.peaks import PeaksWriter
from stemset.audio.waveform_image import HEIGHT, WIDTH, common_scale, write_waveform_png
from stemset.errors import NoSpace, OutputInvalid


def peaks(folder: Path, signal: NDArray[np.floating], name: str = "stem") -> Path:
    writer = PeaksWriter(folder / name, 48_000)
    writer.push(np.atleast_2d(signal).astype(np.float32))
    return writer.close()[0]


def drawn(path: Path) -> NDArray[np.uint8]:
    """The opacity of the picture, ``(256, 1920)``; its colour must be white throughout."""
    with av.open(str(path)) as file:
        frame = next(file.decode(video=0))
    picture = np.asarray(frame.to_ndarray(format="rgba"), np.uint8)
    assert picture.shape == (HEIGHT, WIDTH, 4)
    assert (picture[..., :3] == 255).all()
    return picture[..., 3]


@pytest.mark.parametrize("frames", [1, 300, 480_000, 5_000_000])
def test_picture_of_any_length_fills_the_height_of_its_scale(tmp_path: Path, frames: int) -> None:
    signal = 0.5 * np.where(np.arange(frames) % 2, 1.0, -1.0)

    write_waveform_png(peaks(tmp_path, signal), tmp_path / "stem.png", scale=0.5)

    opacity = drawn(tmp_path / "stem.png")
    share = (opacity > 0).mean()
    assert share > (0.45 if frames == 1 else 0.97)
    assert (opacity.max(axis=0) == 255).all()


def test_picture_of_half_the_scale_is_half_as_high(tmp_path: Path) -> None:
    signal = 0.25 * np.where(np.arange(500_000) % 2, 1.0, -1.0)

    write_waveform_png(peaks(tmp_path, signal), tmp_path / "stem.png", scale=0.5)

    assert (drawn(tmp_path / "stem.png") > 0).mean() == pytest.approx(0.5, abs=0.02)


def test_picture_of_silence_is_a_line_in_the_middle(tmp_path: Path) -> None:
    write_waveform_png(peaks(tmp_path, np.zeros(500_000)), tmp_path / "stem.png", scale=1.0)

    rows = np.flatnonzero((drawn(tmp_path / "stem.png") > 0).all(axis=1))
    assert list(rows) == [127, 128]


def test_picture_shows_where_the_music_is(tmp_path: Path) -> None:
    signal = np.zeros(480_000)
    signal[240_000:] = np.where(np.arange(240_000) % 2, 0.9, -0.9)

    write_waveform_png(peaks(tmp_path, signal), tmp_path / "stem.png", scale=1.0)

    height = (drawn(tmp_path / "stem.png") > 0).sum(axis=0)
    assert height[:950].max() <= 2
    assert height[970:].min() > 200


def test_common_scale_is_that_of_the_loudest_stem(tmp_path: Path) -> None:
    quiet = peaks(tmp_path, np.array([0.1, -0.25]), "quiet")
    loud = peaks(tmp_path, np.array([0.5, -0.75]), "loud")
    silent = peaks(tmp_path, np.zeros(10), "silent")

    assert common_scale([quiet, loud]) == pytest.approx(0.75, abs=0.01)
    assert common_scale([silent]) == 1.0
    assert common_scale([]) == 1.0


def test_picture_of_no_samples_is_a_line_in_the_middle(tmp_path: Path) -> None:
    write_waveform_png(peaks(tmp_path, np.zeros(0)), tmp_path / "stem.png", scale=1.0)

    rows = np.flatnonzero((drawn(tmp_path / "stem.png") > 0).all(axis=1))
    assert list(rows) == [127, 128]


def test_picture_of_peaks_above_the_scale_ends_at_the_edge(tmp_path: Path) -> None:
    signal = 0.9 * np.where(np.arange(500_000) % 2, 1.0, -1.0)

    write_waveform_png(peaks(tmp_path, signal), tmp_path / "stem.png", scale=0.1)

    assert drawn(tmp_path / "stem.png").all()


def test_picture_of_the_same_stem_is_the_same_file_and_small(
    tmp_path: Path, song: NDArray[np.float32]
) -> None:
    path = peaks(tmp_path, song)
    pictures = [tmp_path / "one.png", tmp_path / "two.png"]

    for picture in pictures:
        write_waveform_png(path, picture, scale=common_scale([path]))

    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert pictures[0].stat().st_size < 20_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_picture_on_a_full_disk_says_so(tmp_path: Path) -> None:
    (tmp_path / "stem.png").symlink_to("/dev/full")

    with pytest.raises(NoSpace, match=r"stem\.png"):
        write_waveform_png(peaks(tmp_path, np.zeros(10)), tmp_path / "stem.png", scale=1.0)


def test_picture_of_peaks_that_are_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputInvalid, match=r"missing\.dat"):
        write_waveform_png(tmp_path / "missing.dat", tmp_path / "stem.png", scale=1.0)

    assert list(tmp_path.iterdir()) == []
