"""Half precision is used where it does no harm, and said."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
from stemset.errors import NetworkFailed
from stemset.separation.network import LastChunk, Precision, Samples
from stemset.separation.networks import _torch, load_network, roformer
from stemset.separation.networks._precision import compute_with_care, crest_factor
from stemset.separation.networks._torch import TorchNetwork
from stemset.separation.networks.roformer import Size

RATE_HZ = 44_100
MEL_BAND = "melband_roformer_kim"
BAND_SPLIT = "bs_roformer_ep317"
SHORT_FRAMES = 50 * 441
GOOD_DB = 40


def noise(chunks: int = 1, frames: int = SHORT_FRAMES) -> Samples:
    shape = (chunks, 2, frames)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32) * np.float32(0.1)


def burst(frames: int = SHORT_FRAMES) -> Samples:
    """A chunk ``(1, 2, frames)`` of silence with 1 ms of noise in it."""
    chunk = np.zeros((1, 2, frames), np.float32)
    middle = slice(frames // 2, frames // 2 + RATE_HZ // 1000)
    chunk[..., middle] = noise(frames=RATE_HZ // 1000)
    return chunk


def agreement_db(found: Samples, wanted: Samples) -> float:
    error = float(np.square(found - wanted, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(wanted, dtype=np.float64).sum()) / max(error, 1e-30))


def test_crest_factor_is_peak_over_root_mean_square():
    assert crest_factor(np.ones((2, 100), np.float32)) == pytest.approx(1)
    assert crest_factor(np.eye(10, dtype=np.float32) * -3) == pytest.approx(10**0.5)
    assert crest_factor(np.zeros((2, 100), np.float32)) == 0
    assert crest_factor(noise()[0]) < 10
    assert crest_factor(burst()[0]) > 20


class Recorder:
    """Gives a constant; notes what it is asked for."""

    def __init__(self, value: float, spoils: Callable[[Samples], bool] = lambda _: False) -> None:
        self.value = value
        self.spoils = spoils
        self.asked: list[int] = []

    def __call__(self, mix: Samples) -> Samples:
        self.asked.append(len(mix))
        stems = np.full((len(mix), 3, *mix.shape[1:]), self.value, np.float32)
        for chunk, of_chunk in zip(mix, stems, strict=True):
            if self.spoils(chunk):
                of_chunk[1, 0, 7] = np.inf
        return stems


def test_bursts_and_what_is_not_finite_are_computed_finely():
    coarsely = Recorder(1, spoils=lambda chunk: chunk[0, 0] == 2)
    finely = Recorder(32)
    mix = np.concatenate([noise(), burst(), noise(), noise()])
    mix[2, 0, 0] = 2

    stems = compute_with_care(mix, coarsely, finely)

    assert stems.shape == (4, 3, 2, SHORT_FRAMES)
    assert stems[:, 0, 0, 0].tolist() == [1, 32, 32, 1]
    assert np.isfinite(stems).all()
    assert (coarsely.asked, finely.asked) == ([4], [1, 1])


def test_bursts_alone_are_not_computed_coarsely():
    coarsely, finely = Recorder(1), Recorder(32)

    stems = compute_with_care(np.concatenate([burst(), burst()]), coarsely, finely)

    assert (stems == 32).all()
    assert (coarsely.asked, finely.asked) == ([], [1, 1])


@pytest.fixture
def _bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that multiplies bfloat16; others compute the same, slowly."""
    monkeypatch.setattr(_torch, "cpu_multiplies_bfloat16", lambda: True)


class Tiny(TorchNetwork):
    """Halves the mix with a matrix of 1 × 1, so it has something to compute in half precision."""

    def __init__(self, *, full: bool = False) -> None:
        entry = replace(find(MEL_BAND), chunk_frames=1000)
        super().__init__(entry, entry.slots, LastChunk.AT_START, threads=1, full_precision=full)
        self.given: list[int] = []
        self._matrix = torch.full((1, 1), 0.5)
        self._choose_batch()

    def _forward(self, chunks: torch.Tensor) -> torch.Tensor:
        self.given.append(len(chunks))
        return (chunks[..., None] @ self._matrix)[:, None, ..., 0]


def loaded(
    model: str, folder: Path, *, full: bool = False, chunk_frames: int | None = None
) -> TorchNetwork:
    entry = find(model)
    if not (folder / model).exists():
        install_stand_in(entry, folder)
    files = load_files(entry, folder)
    if chunk_frames:
        entry = replace(entry, chunk_frames=chunk_frames, overlap_frames=chunk_frames // 2)
    network = load_network(entry, files, entry.slots, threads=1, full_precision=full)
    assert isinstance(network, TorchNetwork)
    return network


@pytest.mark.usefixtures("_bfloat16", "pytorch")
@pytest.mark.parametrize("model", [MEL_BAND, BAND_SPLIT])
def test_roformer_in_half_precision_is_close_to_full(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for family in roformer.SIZES:
        monkeypatch.setitem(roformer.SIZES, family, Size(dim=32, depth=1))
    half = loaded(model, tmp_path, chunk_frames=SHORT_FRAMES)
    full = loaded(model, tmp_path, chunk_frames=SHORT_FRAMES, full=True)

    assert (half.precision, full.precision) == (Precision.BFLOAT16, Precision.FLOAT32)
    found, wanted = half(noise()), full(noise())
    assert found.dtype == np.float32
    assert GOOD_DB < agreement_db(found, wanted) < 80


@pytest.mark.slow
@pytest.mark.usefixtures("_bfloat16", "pytorch")
@pytest.mark.parametrize(("model", "frames"), [("htdemucs", None), ("hdemucs_mmi", 2 * RATE_HZ)])
def test_demucs_in_half_precision_is_close_to_full(model: str, frames: int | None, tmp_path: Path):
    half = loaded(model, tmp_path, chunk_frames=frames)
    full = loaded(model, tmp_path, chunk_frames=frames, full=True)
    assert half.precision is Precision.BFLOAT16
    for mix in (noise(frames=half.chunk_frames), burst(half.chunk_frames)):
        assert agreement_db(half(mix), full(mix)) > GOOD_DB


@pytest.mark.usefixtures("_bfloat16")
def test_bursts_are_computed_in_float32_on_a_cpu_as_well():
    half, full = Tiny(), Tiny(full=True)
    mix = np.concatenate([noise(), burst()])

    (found_noise, found_burst), (noise_in_full, burst_in_full) = half(mix), full(mix)

    assert GOOD_DB < agreement_db(found_noise, noise_in_full) < 80
    np.testing.assert_array_equal(found_burst, burst_in_full)


def test_precision_follows_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_torch, "cpu_multiplies_bfloat16", lambda: False)
    assert Tiny().precision is Precision.FLOAT32

    monkeypatch.setattr(_torch, "device_for", lambda _threads: ("cuda", None))
    monkeypatch.setattr(Tiny, "_choose_batch", lambda _self: None)
    assert Tiny().precision is Precision.FLOAT16
    assert Tiny(full=True).precision is Precision.FLOAT32


def test_cpu_is_asked_for_bfloat16(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert _torch.cpu_multiplies_bfloat16()

    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert not _torch.cpu_multiplies_bfloat16()


class Tight(Tiny):
    """Has memory for some chunks at once, and raises an error for more."""

    def __init__(self, room: int, error: Callable[[], Exception], *, batch: int) -> None:
        super().__init__(full=True)
        self.batch = batch
        self._room = room
        self._error = error

    def _forward(self, chunks: torch.Tensor) -> torch.Tensor:
        stems = super()._forward(chunks)
        if len(chunks) > self._room:
            raise self._error()
        return stems


def unallocatable() -> Exception:
    """What PyTorch raises if the system refuses memory, which is no error of its own kind."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        lambda: RuntimeError("CUDA error: out of memory"),
        lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        MemoryError,
        unallocatable,
    ],
    ids=["torch", "cuda", "cublas", "python", "cpu"],
)
def test_memory_that_is_not_enough_makes_batches_smaller(error: Callable[[], Exception]):
    network = Tight(2, error, batch=8)
    mix = noise(8)

    stems = network(mix)

    assert network.given == [8, 4, 2, 2, 2, 2]
    assert network.batch == 2
    np.testing.assert_array_equal(stems[:, 0], mix / 2)


def test_memory_for_no_chunk_at_all_is_said():
    network = Tight(0, lambda: torch.OutOfMemoryError("no"), batch=1)

    with pytest.raises(NetworkFailed, match="memory is not enough for this network"):
        network(noise())
    assert network.given == [1, 1]


class PretendedGpu:
    """What PyTorch tells of the memory of a GPU; the network computes on the CPU.

    Attributes:
        chunk_bytes: What a chunk takes.
        largest: The most chunks that were computed at once.
    """

    free_bytes = 1000

    def __init__(self, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self.largest = 0

    def be_used_by(self, network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(mix: Samples, precision: Precision) -> Samples:
            del precision
            self.largest = max(self.largest, len(mix))
            if len(mix) * self.chunk_bytes > self.free_bytes:
                raise torch.OutOfMemoryError
            return np.zeros((len(mix), 1, *mix.shape[1:]), np.float32)

        monkeypatch.setattr(network, "_run", run)
        monkeypatch.setattr(network, "device", "cuda")
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 50)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (self.free_bytes, 2000))
        monkeypatch.setattr(
            torch.cuda, "max_memory_reserved", lambda: 50 + self.largest * self.chunk_bytes
        )


@pytest.mark.parametrize(
    ("chunk_bytes", "fits", "tried"),
    [(150, 4, 8), (220, 2, 4), (100, 8, 16), (1, 16, 16), (5000, 1, 1)],
    ids=["out of memory", "share of what is free", "just so", "all", "none"],
)
def test_batch_leaves_a_part_of_the_gpus_memory_free(
    chunk_bytes: int, fits: int, tried: int, monkeypatch: pytest.MonkeyPatch
):
    network = Tiny()
    gpu = PretendedGpu(chunk_bytes)
    gpu.be_used_by(network, monkeypatch)
    monkeypatch.setattr(time, "perf_counter", iter(np.arange(0, 100, 0.5)).__next__)

    network._choose_batch()

    assert (network.batch, gpu.largest) == (fits, tried)


def test_batch_on_a_cpu_is_one():
    assert Tiny().batch == 1
