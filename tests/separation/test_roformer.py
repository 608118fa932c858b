"""The RoFormers: streamed through the engine they give what their library's network gives.

The networks are small here, so that they take seconds; ``test_roformer_checkpoints`` has the real
ones.
"""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bs_roformer.attend import Attend
from demucs.apply import apply_model
from numpy.typing import NDArray
from safetensors.torch import save_file

from stand_in_weights import install_stand_in, random_network
from stemset.catalogue.entries import find
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.strategies import parse_strategy
from stemset.catalogue.weights import WeightsFile, load_files
from stemset.errors import ModelCorrupt, NetworkFailed
from stemset.separation.network import Network, Samples
from stemset.separation.networks import load_network
from stemset.separation.networks.openvino import RoformerGraph
from stemset.separation.networks.roformer import SIZES, Roformer, Size
from stemset.separation.overlap_add import OverlapAdd
from stemset.separation.signals import plan_signals

RATE_HZ = 44_100
CHUNK_S = 1
PARITY_DB = 80
MEL_BAND = "melband_roformer_kim"
BAND_SPLIT = "bs_roformer_ep317"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for family in SIZES:
        monkeypatch.setitem(SIZES, family, Size(dim=32, depth=1))


@pytest.fixture(scope="module")
def mix(song: NDArray[np.float32]) -> Samples:
    """3.75 s of music: some chunks, and an end that fills none."""
    return song[:, : 15 * RATE_HZ // 4]


def small_entry(model: str) -> ModelEntry:
    """An entry with short chunks."""
    return replace(
        find(model), chunk_frames=CHUNK_S * RATE_HZ, overlap_frames=CHUNK_S * RATE_HZ // 2
    )


def loaded(entry: ModelEntry, folder: Path, runtime: str) -> Network:
    install_stand_in(entry, folder)
    files = load_files(entry, folder)
    network = load_network(entry, files, entry.slots, threads=1, full_precision=True)
    assert type(network) is {"PyTorch": Roformer, "OpenVINO": RoformerGraph}[runtime]
    return network


class WholeFile(torch.nn.Module):
    """The library's network, for ``demucs.apply.apply_model``, whose weights unblend uses too."""

    samplerate = RATE_HZ
    segment = Fraction(CHUNK_S)
    sources = ("vocals",)

    def __init__(self, entry: ModelEntry) -> None:
        super().__init__()
        self._network = random_network(entry)
        self._network.load_state_dict(
            {key: value.half().float() for key, value in self._network.state_dict().items()}
        )
        # The library's own attention, as it is.
        for module in self._network.modules():
            if hasattr(module, "attend"):
                module.attend = Attend(flash=False)

    def valid_length(self, length: int) -> int:
        return max(length, CHUNK_S * RATE_HZ)

    def forward(self, chunks: torch.Tensor) -> torch.Tensor:
        return self._network(chunks)[:, None]


def whole_file(entry: ModelEntry, mix: Samples) -> Samples:
    network: Any = WholeFile(entry)
    separated: Any = apply_model(network, torch.from_numpy(mix)[None], shifts=0, overlap=0.5)
    return separated[0, 0].numpy()


def streamed(network: Network, mix: Samples) -> Samples:
    """The engine's result, in blocks of an odd length."""
    stream = OverlapAdd(network, lanes=1)
    given = [pair for block in np.array_split(mix, 37, axis=1) for pair in stream.push(block[None])]
    given += stream.finish()
    return np.concatenate([slots[0, 0] for _, slots in given], axis=1)


def agreement_db(found: Samples, wanted: Samples) -> float:
    error = float(np.square(found - wanted, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(wanted, dtype=np.float64).sum()) / max(error, 1e-30))


@pytest.mark.parametrize("model", [MEL_BAND, BAND_SPLIT])
def test_roformer_streamed_is_its_network_over_the_whole_file(
    model: str, mix: Samples, tmp_path: Path, runtime: str
) -> None:
    entry = small_entry(model)

    found = streamed(loaded(entry, tmp_path, runtime), mix)

    assert agreement_db(found, whole_file(entry, mix)) > PARITY_DB


@pytest.mark.parametrize("frames", [1, 1000, 50_000])
def test_shortest_recordings_are_separated(frames: int, tmp_path: Path, runtime: str) -> None:
    mix = np.random.default_rng(1).standard_normal((2, frames)).astype(np.float32) * 0.1

    stem = streamed(loaded(small_entry(MEL_BAND), tmp_path, runtime), mix)

    assert stem.shape == (2, frames)
    assert np.isfinite(stem).all()


@pytest.mark.parametrize("model", [MEL_BAND, BAND_SPLIT])
def test_what_is_not_vocals_closes_the_sum(model: str) -> None:
    plan = plan_signals(parse_strategy({"_": model, "vocals": "voice", "not_vocals": "band"}))

    assert plan.network_slots() == {model: {"vocals"}}
    assert plan.closing is not None
    assert plan.closing.stem == "band"
    assert plan.adds_up


@pytest.mark.parametrize("model", [MEL_BAND, BAND_SPLIT])
def test_chunks_of_the_catalogue_lose_no_frame(model: str, tmp_path: Path, runtime: str) -> None:
    """The inverse transform gives whole hops only."""
    network = loaded(find(model), tmp_path, runtime)
    mix = np.random.default_rng(2).standard_normal((1, 2, network.chunk_frames)).astype(np.float32)

    assert network(mix).shape == (1, 1, 2, network.chunk_frames)


def test_chunk_that_the_network_cannot_take_is_an_error_of_ours(
    tmp_path: Path, runtime: str
) -> None:
    network = loaded(small_entry(MEL_BAND), tmp_path, runtime)

    with pytest.raises(NetworkFailed, match="failed while it computed"):
        network(np.zeros((1, 2, 100), np.float32))


class TestWeights:
    """Files that are read as weights."""

    @pytest.fixture
    def entry(self) -> ModelEntry:
        return small_entry(BAND_SPLIT)

    def test_checkpoint_that_is_the_state_alone_is_read(
        self, entry: ModelEntry, tmp_path: Path
    ) -> None:
        state = random_network(entry, seed=5).state_dict()
        path = tmp_path / "vocals.ckpt"
        torch.save(state, path)

        read = Roformer(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)

        for key, value in read._network.state_dict().items():
            assert torch.equal(value, state[key])

    def test_checkpoint_that_would_run_code_is_refused(
        self, entry: ModelEntry, tmp_path: Path
    ) -> None:
        class Malicious:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (tmp_path / "was-run",))

        path = tmp_path / "evil.ckpt"
        torch.save({"layers.0.weight": Malicious()}, path)

        with pytest.raises(ModelCorrupt, match=r"evil\.ckpt cannot be read as weights"):
            Roformer(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)
        assert not (tmp_path / "was-run").exists()

    @pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state": 4}])
    def test_checkpoint_without_a_state_is_refused(
        self, entry: ModelEntry, tmp_path: Path, content: object
    ) -> None:
        path = tmp_path / "other.ckpt"
        torch.save(content, path)

        with pytest.raises(ModelCorrupt, match=r"other\.ckpt is no checkpoint with the state"):
            Roformer(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)

    def test_weights_of_another_network_are_refused(
        self, entry: ModelEntry, tmp_path: Path
    ) -> None:
        state = random_network(small_entry(MEL_BAND)).state_dict()
        path = tmp_path / "other.safetensors"
        save_file({key: value.clone() for key, value in state.items()}, path)

        with pytest.raises(ModelCorrupt, match=r"other\.safetensors holds the weights of another"):
            Roformer(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)
