"""Networks on OpenVINO: who computes, what is kept, and what happens when it cannot be.

``test_roformer`` and ``test_demucs`` compare what comes out with the library's own networks.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import CATALOGUE, find
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.weights import load_files
from stemset.errors import ModelCorrupt, NetworkFailed
from stemset.separation.network import Precision, Samples
from stemset.separation.networks import _openvino, _openvino_cores, libraries, load_network
from stemset.separation.networks._openvino import load_graph
from stemset.separation.networks.demucs import Demucs
from stemset.separation.networks.libraries import (
    computed_by_openvino,
    library_versions,
    openvino_would_help,
)
from stemset.separation.networks.openvino import HTDemucsGraphs, OpenVinoNetwork
from stemset.separation.networks.roformer import SIZES, Size

ROFORMER = "melband_roformer_kim"
VERSION = version("openvino")


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """A RoFormer with a small network."""
    entry = find(ROFORMER)
    monkeypatch.setitem(SIZES, entry.network, Size(dim=32, depth=1))
    return entry


@pytest.fixture
def cache(entry: ModelEntry, tmp_path: Path) -> Path:
    install_stand_in(entry, tmp_path)
    return tmp_path


@pytest.fixture
def mix(entry: ModelEntry) -> Samples:
    noise = np.random.default_rng(3).standard_normal((1, 2, entry.chunk_frames))
    return (0.1 * noise).astype(np.float32)


def loaded(entry: ModelEntry, cache: Path, *, full_precision: bool = True) -> OpenVinoNetwork:
    network = load_network(
        entry, load_files(entry, cache), entry.slots, threads=1, full_precision=full_precision
    )
    assert isinstance(network, OpenVinoNetwork)
    return network


def kept(weights: Path) -> list[Path]:
    return sorted((weights.parent / "openvino").iterdir())


def agreement_db(found: Samples, wanted: Samples) -> float:
    error = float(np.square(found - wanted, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(wanted, dtype=np.float64).sum()) / max(error, 1e-30))


class TestChoice:
    """Who computes a model."""

    def test_openvino_computes_what_it_knows(self) -> None:
        computed = {name for name, entry in CATALOGUE.items() if computed_by_openvino(entry)}

        assert computed == {
            "htdemucs",
            "htdemucs_ft",
            "htdemucs_6s",
            "melband_roformer_kim",
            "bs_roformer_ep317",
        }
        assert library_versions([find("htdemucs")]) == {"openvino": VERSION}

    def test_gpu_computes_where_one_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(libraries, "gpu_is_here", lambda: True)

        assert not computed_by_openvino(find("htdemucs"))
        assert "torch" in library_versions([find("htdemucs")])

    def test_pytorch_computes_where_openvino_is_not_installed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(libraries, "find_spec", lambda name: name != "openvino" or None)

        assert not computed_by_openvino(find("htdemucs"))
        assert openvino_would_help(find("htdemucs"))
        assert not openvino_would_help(find("hdemucs_mmi"))

    def test_original_manner_is_pytorchs(self, tmp_path: Path) -> None:
        htdemucs = find("htdemucs")
        install_stand_in(htdemucs, tmp_path)

        network = load_network(
            htdemucs, load_files(htdemucs, tmp_path), ["vocals"], threads=1, original_manner=True
        )

        assert type(network) is Demucs


@pytest.mark.slow
def test_only_what_is_wanted_is_given_and_half_precision_is_near(tmp_path: Path) -> None:
    htdemucs = find("htdemucs")
    install_stand_in(htdemucs, tmp_path)
    files = load_files(htdemucs, tmp_path)
    burst = np.zeros((1, 2, htdemucs.chunk_frames), np.float32)
    burst[..., 90_000:90_200] = np.random.default_rng(4).uniform(-1, 1, (2, 200))

    def given(slots: tuple[str, ...], *, full_precision: bool) -> Samples:
        network = load_network(htdemucs, files, slots, threads=1, full_precision=full_precision)
        assert type(network) is HTDemucsGraphs
        return network(burst)

    every = given(htdemucs.slots, full_precision=True)
    some = given(("bass", "vocals"), full_precision=True)
    coarse = given(htdemucs.slots, full_precision=False)

    assert np.array_equal(some, every[:, [1, 3]])
    assert agreement_db(coarse, every) > 40


def test_half_precision_is_used_where_the_cpu_has_it(
    entry: ModelEntry, cache: Path, mix: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = loaded(entry, cache)
    coarse = loaded(entry, cache, full_precision=False)

    assert full.precision is Precision.FLOAT32
    assert coarse.precision is _openvino.fast_precision()
    assert agreement_db(coarse(mix), full(mix)) > 30

    monkeypatch.setattr(ov.Core, "get_property", lambda *_: ["FP32", "INT8"])
    assert loaded(entry, cache, full_precision=False).precision is Precision.FLOAT32


@pytest.mark.slow
def test_the_second_time_nothing_of_pytorch_is_loaded_nor_anything_reported(
    entry: ModelEntry, cache: Path
) -> None:
    loaded(entry, cache)
    program = f"""
import sys
from pathlib import Path

def watch(event, args):
    if event in {{"os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect"}}:
        print(event)

sys.addaudithook(watch)
from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
from stemset.separation.networks import load_network
entry, cache = find({ROFORMER!r}), Path({str(cache)!r})
load_network(entry, load_files(entry, cache), entry.slots, threads=1)
print({{"torch", "bs_roformer", "demucs", "openvino_telemetry.main"}} & set(sys.modules))
"""

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert said == "set()\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "told"),
    [
        ("torch", "needs PyTorch and"),
        ("openvino._pyopenvino", "OpenVINO is installed and does not load"),
        ("openvino.frontend.pytorch.ts_decoder", "is not one that fits"),
    ],
)
def test_library_that_cannot_be_loaded_is_named_with_what_to_do(
    hidden: str, told: str, cache: Path
) -> None:
    program = f"""
import sys
from pathlib import Path
sys.modules[{hidden!r}] = None
from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
from stemset.errors import MissingDependency
from stemset.separation.networks import load_network
entry, cache = find({ROFORMER!r}), Path({str(cache)!r})
try:
    load_network(entry, load_files(entry, cache), entry.slots, threads=1)
except MissingDependency as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert told in said
    assert "pip" in said


def test_weights_of_another_network_are_refused(
    entry: ModelEntry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, entry.network, Size(dim=64, depth=1))

    with pytest.raises(ModelCorrupt, match="holds the weights of another"):
        loaded(entry, cache)
    assert not (cache / ROFORMER / "openvino").exists()


def test_network_that_cannot_be_taken_over_is_an_error_with_a_way_out(
    entry: ModelEntry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def load_by_framework(self, _: str) -> None:
            raise RuntimeError("no such operation")

    monkeypatch.setattr(_openvino_cores, "FrontEndManager", Failing)

    with pytest.raises(NetworkFailed, match=r"no such operation.*pip uninstall openvino"):
        loaded(entry, cache)


class Making:
    """Makes a graph that multiplies three numbers by a weight, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> ov.Model:
        self.made += 1
        library: Any = ov
        given = library.opset13.parameter([3], np.float32, "given")
        weight = library.opset13.constant(np.array([2, 3, 4], np.float32))
        return library.Model([library.opset13.multiply(given, weight)], [given], "weighted")


class TestKeptGraph:
    """The graph beside the weights."""

    @pytest.fixture
    def weights(self, tmp_path: Path) -> Path:
        return tmp_path / "network.safetensors"

    @pytest.fixture
    def make(self) -> Making:
        return Making()

    def given(self, weights: Path, make: Making) -> list[float]:
        graph = load_graph(weights, make, threads=1, precision=Precision.FLOAT32)
        (result,) = graph(np.ones(3, np.float32))
        return result.tolist()

    def test_it_is_made_once(self, weights: Path, make: Making) -> None:
        assert [self.given(weights, make) for _ in range(3)] == [[2, 3, 4]] * 3
        assert make.made == 1
        assert [folder.name for folder in kept(weights)] == [f"network-1-{VERSION}"]

    @pytest.mark.parametrize("name", ["graph.xml", "graph.bin", "sha256.json"])
    @pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
    def test_damaged_one_is_made_anew(
        self, name: str, damage: str, weights: Path, make: Making
    ) -> None:
        self.given(weights, make)
        (folder,) = kept(weights)
        file = folder / name
        content = file.read_bytes()
        if damage == "gone":
            file.unlink()
        else:
            half = len(content) // 2
            file.write_bytes(content[:half] + (b"" if damage == "cut" else b"?" * half))

        assert self.given(weights, make) == [2, 3, 4]
        assert make.made == 2
        assert file.stat().st_size == len(content)

    def test_that_of_another_version_is_replaced(
        self, weights: Path, make: Making, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as earlier:
            earlier.setattr(_openvino, "_version", lambda: "2020.1.0")
            self.given(weights, make)
        self.given(weights.with_stem("network-2"), make)
        self.given(weights, make)

        assert [folder.name for folder in kept(weights)] == [
            f"network-1-{VERSION}",
            f"network-2-1-{VERSION}",
        ]

    def test_cache_that_takes_nothing_is_no_hindrance(
        self, weights: Path, make: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = weights.parent / "openvino"
        place.write_text("no folder")

        assert self.given(weights, make) == [2, 3, 4]
        assert place.read_text() == "no folder"

        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(NetworkFailed, match=r"no place for the network's graph.*nowhere"):
            self.given(weights, make)

    def test_input_that_it_does_not_take_is_an_error_of_ours(
        self, weights: Path, make: Making
    ) -> None:
        graph = load_graph(weights, make, threads=1, precision=Precision.FLOAT32)

        with pytest.raises(NetworkFailed, match="failed while it computed"):
            graph(np.ones(5, np.float32))
