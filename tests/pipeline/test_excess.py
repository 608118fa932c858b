"""What was cut off is given back to the sample, however the stem is cut into blocks."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemset.errors import OutputUnwritable
from stemset.pipeline._excess import ExcessFiles

FULL = 2**15


def clipped(stem: NDArray[np.int64]) -> NDArray[np.int64]:
    return stem.clip(-FULL, FULL - 1)


def cuts(frames: int, sizes: list[int]) -> list[slice]:
    edges = np.cumsum([0, *sizes])
    edges = [*edges[edges < frames], frames]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=20)


@given(
    seed=st.integers(0, 99),
    channels=st.integers(1, 3),
    loudness=st.sampled_from([0.1, 0.9, 1.5, 300.0]),
    written=sizes,
    read=sizes,
)
def test_excess_and_file_are_the_stem(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    channels: int,
    loudness: float,
    written: list[int],
    read: list[int],
):
    rng = np.random.default_rng(seed)
    stem = np.rint(rng.normal(0, loudness * FULL, (channels, 200))).astype(np.int64)
    with ExcessFiles(tmp_path_factory.mktemp("excess") / "made") as files:
        for part in cuts(200, written):
            excess = stem[:, part] - clipped(stem[:, part])
            if excess.any():
                files.keep("vocals", part.start, excess)

    back = files.of("vocals")
    for part in cuts(200, read):
        block = clipped(stem[:, part]) / FULL
        back.add_to(block, 1 / FULL)
        np.testing.assert_array_equal(block * FULL, stem[:, part])


def test_excess_of_more_rows_than_are_read_at_a_time_is_given_back(tmp_path: Path):
    stem = np.full((2, 20_000), 3 * FULL)
    with ExcessFiles(tmp_path / "made") as files:
        files.keep("drums", 0, stem - clipped(stem))

    back = files.of("drums")
    for part in cuts(20_000, [1, 8191, 3, 9000]):
        block = clipped(stem[:, part]) / FULL
        back.add_to(block, 1 / FULL)
        np.testing.assert_array_equal(block, np.full(block.shape, 3.0))


def test_excess_without_any_makes_no_folder(tmp_path: Path):
    with ExcessFiles(tmp_path / "made") as files:
        pass
    block = np.full((2, 10), 0.5)

    files.of("vocals").add_to(block, 1 / FULL)

    assert not files.folder.exists()
    np.testing.assert_array_equal(block, 0.5)


def test_excess_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path):
    (tmp_path / "made").write_text("a file where the folder should be")

    with ExcessFiles(tmp_path / "made") as files, pytest.raises(OutputUnwritable, match="made"):
        files.keep("vocals", 0, np.ones((2, 1), np.int64))
