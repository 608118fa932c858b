"""The Demucs families: streamed through the engine they give what their own library gives."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.apply import BagOfModels, apply_model
from numpy.typing import NDArray
from safetensors.torch import save_file

from stand_in_weights import install_stand_in, random_network
from stemset.catalogue.entries import find
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.strategies import Node, find_strategy, parse_strategy
from stemset.catalogue.weights import WeightsFile, load_files
from stemset.errors import ModelCorrupt
from stemset.separation.network import Network, Samples
from stemset.separation.networks import load_network
from stemset.separation.networks.demucs import Demucs
from stemset.separation.networks.openvino import HTDemucsGraphs
from stemset.separation.separator import Separator
from stemset.separation.signals import plan_signals
from stemset.separation.statistics import StatisticsMeter

RATE_HZ = 44_100
PARITY_DB = 80


@pytest.fixture(scope="module")
def mix(song: NDArray[np.float32]) -> Samples:
    """16 s of music with an offset, so that its mean is something to subtract."""
    return np.tile(song, (1, 2))[:, : 16 * RATE_HZ] * np.float32(0.6) + np.float32(0.01)


def whole_file(network: torch.nn.Module | BagOfModels, mix: Samples) -> dict[str, Samples]:
    """The library's own result, as ``demucs.api.Separator`` makes it."""
    wave = torch.from_numpy(mix)
    reference = wave.mean(0)
    mean, deviation = reference.mean(), reference.std() + 1e-8
    separated: Any = apply_model(
        network,  # pyright: ignore[reportArgumentType] - the class is one of the library's
        ((wave - mean) / deviation)[None],
        shifts=0,
        overlap=0.25,
    )
    stems = (separated[0] * deviation + mean).numpy()
    sources: Any = network.sources
    return dict(zip(sources, stems, strict=True))


def streamed(
    strategy: Node, network: Network, mix: Samples, *, original_manner: bool = True
) -> dict[str, Samples]:
    """The engine's result, in blocks of an odd length."""
    plan = plan_signals(strategy, original_manner=original_manner)
    meter = StatisticsMeter()
    blocks = np.array_split(mix, 37, axis=1)
    for block in blocks:
        meter.push(block)
    separator = Separator(
        plan,
        {strategy.model: network},
        rate_hz=RATE_HZ,
        channels=("FL", "FR"),
        normalisation=meter.result(restores_mean=original_manner),
    )
    given: dict[str, list[Samples]] = {name: [] for name in plan.stems}
    names = {signal: name for name, signal in plan.stems.items()}
    for block in blocks:
        for signal, samples in separator.push(block):
            given[names[signal]].append(samples)
    for signal, samples in separator.finish():
        given[names[signal]].append(samples)
    return {name: np.concatenate(parts, axis=1) for name, parts in given.items()}


def agreement_db(found: Samples, wanted: Samples) -> float:
    error = float(np.square(found - wanted, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(wanted, dtype=np.float64).sum()) / max(error, 1e-30))


def loaded(entry: ModelEntry, folder: Path, *slots: str, runtime: str = "PyTorch") -> Network:
    wanted = slots or entry.slots
    files = load_files(entry, folder, wanted)
    network = load_network(entry, files, wanted, threads=1, full_precision=True)
    assert type(network) is {"PyTorch": Demucs, "OpenVINO": HTDemucsGraphs}[runtime]
    return network


@pytest.mark.slow
def test_htdemucs_streamed_is_the_librarys_whole_file_result(
    mix: Samples, tmp_path: Path, runtime: str
) -> None:
    entry = find("htdemucs")
    install_stand_in(entry, tmp_path)
    reference = random_network(entry)

    found = streamed(find_strategy("htdemucs"), loaded(entry, tmp_path, runtime=runtime), mix)

    wanted = whole_file(half_and_back(reference), mix)
    for name, stem in found.items():
        assert agreement_db(stem, wanted[name]) > PARITY_DB


@pytest.mark.slow
def test_hdemucs_streamed_is_the_librarys_whole_file_result(mix: Samples, tmp_path: Path) -> None:
    segment_s = 10  # shorter than published: the same chunks and ends in less time
    whole = find("hdemucs_mmi")
    entry = replace(
        whole, chunk_frames=segment_s * RATE_HZ, overlap_frames=segment_s * RATE_HZ // 4
    )
    install_stand_in(whole, tmp_path)
    reference: Any = half_and_back(random_network(entry))
    reference.segment = Fraction(segment_s)

    network = loaded(entry, tmp_path)
    found = streamed(find_strategy("hdemucs_mmi"), network, mix)

    wanted = whole_file(reference, mix)
    for name, stem in found.items():
        assert agreement_db(stem, wanted[name]) > PARITY_DB


@pytest.mark.slow
def test_one_stem_of_a_bag_takes_its_specialist_alone(
    mix: Samples, tmp_path: Path, runtime: str
) -> None:
    entry = find("htdemucs_ft")
    install_stand_in(entry, tmp_path)
    short = mix[:, : 9 * RATE_HZ]
    strategy = parse_strategy({"_": "htdemucs_ft", "vocals": "voice"})

    files = load_files(entry, tmp_path, ["vocals"])
    network = loaded(entry, tmp_path, "vocals", runtime=runtime)
    found = streamed(strategy, network, short, original_manner=True)

    assert [file.slots for file in files] == [("vocals",)]
    specialist = half_and_back(random_network(entry, seed=3))
    wanted = whole_file(specialist, short)["vocals"]
    assert agreement_db(found["voice"], wanted) > PARITY_DB


def half_and_back(network: torch.nn.Module) -> torch.nn.Module:
    """A network with the values that it has in its file."""
    network.load_state_dict(
        {key: value.half().float() for key, value in network.state_dict().items()}
    )
    return network


def test_stem_without_the_others_is_the_networks_own() -> None:
    only_other = plan_signals(parse_strategy({"_": "htdemucs_ft", "other": "other"}))
    whole = plan_signals(find_strategy("htdemucs_ft"))

    assert only_other.network_slots() == {"htdemucs_ft": {"other"}}
    assert whole.network_slots() == {"htdemucs_ft": {"vocals", "drums", "bass"}}
    assert whole.closing is not None
    assert whole.closing.stem == "other"
    assert whole.adds_up


@pytest.mark.parametrize("frames", [1, 1000, 50_000])
def test_shortest_recordings_are_separated(frames: int, tmp_path: Path) -> None:
    entry = find("hdemucs_mmi")
    install_stand_in(entry, tmp_path)
    mix = np.random.default_rng(1).standard_normal((2, frames)).astype(np.float32) * 0.1

    stems = streamed(find_strategy("hdemucs_mmi"), loaded(entry, tmp_path), mix)

    assert {stem.shape for stem in stems.values()} == {(2, frames)}
    assert all(np.isfinite(stem).all() for stem in stems.values())


class TestWeights:
    """Files that are read as weights."""

    @pytest.fixture
    def entry(self) -> ModelEntry:
        return find("htdemucs")

    def test_checkpoint_of_demucs_is_read(self, entry: ModelEntry, tmp_path: Path) -> None:
        network: Any = random_network(entry, seed=5)
        state = {key: value.half() for key, value in network.state_dict().items()}
        path = tmp_path / "955717e8-8726e21a.th"
        torch.save(
            {
                "klass": type(network),
                "args": (list(entry.slots),),
                "kwargs": {"segment": Fraction(39, 5), "channels": 48},
                "state": state,
                "training_args": {"seed": 42, "dset": {"wav": None}},
            },
            path,
        )

        read: Any = Demucs(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)

        for key, value in read._members[0].network.state_dict().items():
            assert torch.equal(value, state[key].float())

    def test_checkpoint_that_would_run_code_is_refused(
        self, entry: ModelEntry, tmp_path: Path
    ) -> None:
        class Malicious:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (tmp_path / "was-run",))

        path = tmp_path / "evil.th"
        torch.save({"state": Malicious()}, path)

        with pytest.raises(ModelCorrupt, match=r"evil\.th cannot be read as weights"):
            Demucs(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)
        assert not (tmp_path / "was-run").exists()

    def test_weights_of_another_network_are_refused(
        self, entry: ModelEntry, tmp_path: Path
    ) -> None:
        path = tmp_path / "other.safetensors"
        save_file(random_network(find("htdemucs_6s")).state_dict(), path)

        with pytest.raises(ModelCorrupt, match=r"other\.safetensors holds the weights of another"):
            Demucs(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)

    @pytest.mark.parametrize("suffix", [".safetensors", ".th"])
    @pytest.mark.parametrize("content", [b"", b"no weights at all"])
    def test_damaged_file_is_refused(
        self, entry: ModelEntry, tmp_path: Path, suffix: str, content: bytes
    ) -> None:
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(content)

        with pytest.raises(ModelCorrupt, match="damaged"):
            Demucs(entry, [WeightsFile(entry.slots, path)], entry.slots, threads=1)
