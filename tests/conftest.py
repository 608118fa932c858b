"""Fixtures of the whole suite: the installed default model, and real audio to work on."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stemset.catalogue.entries import find
from stemset.catalogue.weights import example_song, install
from stemset.pipeline.networks import Networks

MODEL = "spleeter-2stems"


@pytest.fixture(scope="session")
def example() -> Path:
    """The default model's example song; installs the model into the user's cache if need be."""
    install(find(MODEL))
    song = example_song(find(MODEL))
    assert song is not None
    return song


@pytest.fixture(scope="session")
def song(example: Path) -> NDArray[np.float32]:
    """The example's samples, ``(2, frames)`` at 44.1 kHz, within ±1."""
    with av.open(str(example)) as file:
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
    samples = np.concatenate(blocks, axis=1)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


@pytest.fixture(scope="session")
def networks(example: Path) -> Networks:
    """Networks that stay loaded for the whole suite."""
    del example  # its model is what is needed
    return Networks()
