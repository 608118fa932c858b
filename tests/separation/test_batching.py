"""Batches grow as long as that pays, and shrink where memory is not enough."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from stemset.errors import NetworkFailed
from stemset.separation.network import Samples
from stemset.separation.networks._batching import Batching, fastest_batch


@pytest.mark.parametrize(
    ("times_s", "best"),
    [
        ({1: 1.0, 2: 2.0}, 1),
        ({1: 1.0, 2: 1.92}, 1),
        ({1: 1.0, 2: 1.8, 4: 3.5}, 2),
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0, 16: 1.0}, 16),
        ({1: 1.0, 2: 1.8, 4: 3.6, 8: 0.1}, 2),
        ({1: 1.0, 2: 1.0}, 2),
        ({}, 1),
    ],
    ids=["no gain", "4 %", "10 %, then 3 %", "all", "not behind a step", "memory", "none fits"],
)
def test_fastest_batch_is_the_last_that_pays(times_s: dict[int, float], best: int):
    def time_of(batch: int) -> float:
        if batch not in times_s:
            raise MemoryError
        return times_s[batch]

    assert fastest_batch(time_of) == best


def test_fastest_batch_lets_other_errors_through():
    def time_of(batch: int) -> float:
        raise NetworkFailed(f"{batch}")

    with pytest.raises(NetworkFailed):
        fastest_batch(time_of)


@dataclass
class Tight(Batching):
    """Halves what it is given, as long as there is memory for it.

    Attributes:
        room: The most chunks that fit.
        mended: What fits once memory has been freed, None for as many as before.
        log: What happened: batches that were begun, and ``free``.
    """

    room: int
    mended: int | None = None
    device: str = "cpu"
    batch: int = 8
    log: list[int | str] = field(default_factory=list[int | str])

    def _compute(self, mix: Samples) -> Samples:
        self.log.append(len(mix))
        if len(mix) > self.room:
            np.empty(1 << 58)  # more than any machine has
        return np.float32(0.5) * mix[:, np.newaxis]

    def _is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)

    def _free_memory(self) -> None:
        self.log.append("free")
        if self.mended is not None:
            self.room = self.mended


def noise(chunks: int) -> Samples:
    return np.random.default_rng(0).standard_normal((chunks, 2, 50)).astype(np.float32)


@pytest.mark.parametrize("chunks", [1, 7, 8, 20])
@pytest.mark.parametrize("room", [1, 2, 3, 8])
def test_batch_that_does_not_fit_is_computed_in_parts(chunks: int, room: int):
    network = Tight(room)
    mix = noise(chunks)

    stems = network(mix)

    np.testing.assert_array_equal(stems[:, 0], mix / 2)
    assert network.batch <= max(room, 1) or chunks <= room


def test_batch_is_halved_for_good():
    network = Tight(room=3)

    network(noise(8))
    assert network.log == [8, "free", 4, "free", 2, 2, 2, 2]
    assert network.batch == 2

    network.log.clear()
    network(noise(5))
    assert network.log == [2, 2, 1]


def test_more_chunks_than_a_batch_are_never_tried_at_once():
    network = Tight(room=100, batch=4)

    network(noise(10))

    assert network.log == [4, 4, 2]
    assert network.batch == 4


def test_single_chunk_is_tried_once_more_when_memory_was_freed():
    network = Tight(room=0, mended=1, batch=1)

    assert network(noise(1)).any()
    assert network.log == [1, "free", 1]


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("cpu", "This machine's memory is not enough for this network. End other programs"),
        ("cuda", r"memory of the GPU is not enough for this network.*CUDA_VISIBLE_DEVICES=-1"),
    ],
)
def test_single_chunk_that_never_fits_is_an_error_that_says_what_to_do(device: str, told: str):
    network = Tight(room=0, device=device)

    with pytest.raises(NetworkFailed, match=told):
        network(noise(2))
    assert network.log == [2, "free", 1, "free", 1, "free"]


def test_other_errors_are_not_tried_again():
    class Broken(Tight):
        def _compute(self, mix: Samples) -> Samples:
            self.log.append(len(mix))
            raise RuntimeError("no")

    network = Broken(room=8)

    with pytest.raises(RuntimeError, match="no"):
        network(noise(2))
    assert network.log == [2]
