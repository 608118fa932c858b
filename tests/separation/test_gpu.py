"""A GPU that is here is used well, or it is said why not; that there is none is fine."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
from stemset.errors import NetworkFailed
from stemset.separation.network import Network, Precision, Samples
from stemset.separation.networks import _torch, gpu, load_network
from stemset.separation.networks.gpu import gpu_is_here, onnx_trouble, torch_trouble
from stemset.separation.networks.spleeter import Spleeter

BOTH = ["CUDAExecutionProvider", "CPUExecutionProvider"]
CPU_ALONE = ["CPUExecutionProvider"]


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system shows its GPUs: an empty folder."""
    monkeypatch.setattr(gpu, "_FIRST_GPU", tmp_path / "nvidia0")
    monkeypatch.setattr(gpu, "_GPUS", tmp_path / "gpus")
    return tmp_path


@pytest.fixture
def a_gpu(devices: Path) -> None:
    (devices / "nvidia0").touch()


def test_gpu_is_known_by_its_device_or_by_its_driver(devices: Path):
    assert not gpu_is_here()
    (devices / "gpus").mkdir()
    assert not gpu_is_here()
    (devices / "gpus" / "0000:01:00.0").mkdir()
    assert gpu_is_here()
    (devices / "gpus" / "0000:01:00.0").rmdir()
    (devices / "nvidia0").touch()
    assert gpu_is_here()


@pytest.mark.usefixtures("devices")
def test_runtime_for_gpus_that_sees_none_is_said():
    assert onnx_trouble(BOTH, CPU_ALONE) == (
        "The GPU is not used: ONNX Runtime is the one for GPUs, and sees no GPU."
    )


@pytest.mark.usefixtures("a_gpu")
def test_runtime_for_gpus_that_cannot_use_the_one_that_is_here_is_said():
    told = onnx_trouble(BOTH, CPU_ALONE)
    assert told is not None
    assert told.endswith("does not load CUDA's libraries.")
    assert onnx_trouble(BOTH, BOTH) is None
    assert onnx_trouble(CPU_ALONE, CPU_ALONE) is None


@pytest.mark.usefixtures("a_gpu")
def test_pytorch_that_cannot_use_the_gpu_that_is_here_says_why():
    assert torch_trouble(built_for="12.8", reason="The driver is too old.") == (
        "The GPU is not used: PyTorch for CUDA 12.8 says: The driver is too old."
    )
    assert torch_trouble(built_for=None, reason="not compiled with CUDA") is None
    assert torch_trouble(built_for="12.8", reason=None) is None


@pytest.mark.usefixtures("devices")
def test_pytorch_for_gpus_without_one_is_fine():
    assert torch_trouble(built_for="12.8", reason="no device") is None


@pytest.mark.usefixtures("a_gpu")
def test_pytorch_of_this_machine_is_asked_why(monkeypatch: pytest.MonkeyPatch):
    assert _torch.device_for(1) == ("cpu", None)  # the build for CPUs

    monkeypatch.setattr(torch.version, "cuda", "12.8")

    device, trouble = _torch.device_for(1)
    assert device == "cpu"
    assert trouble is not None
    assert "not compiled with CUDA" in trouble


@pytest.mark.usefixtures("a_gpu", "example")
def test_network_that_fell_back_says_so(monkeypatch: pytest.MonkeyPatch):
    entry = find("spleeter-2stems")
    network = load_network(entry, load_files(entry), entry.slots, threads=1)
    assert (network.device, network.gpu_trouble) == ("cpu", None)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BOTH)

    assert isinstance(network, Spleeter)
    assert network._graph.device == "cpu"
    assert network._graph.gpu_trouble is not None


@pytest.mark.gpu
class TestOnGpu:
    """Networks of random weights on a real GPU."""

    @staticmethod
    def loaded(model: str, folder: Path, *, full: bool = False) -> Network:
        entry = find(model)
        if not (folder / model).exists():
            install_stand_in(entry, folder)
        files = load_files(entry, folder)
        return load_network(entry, files, entry.slots, threads=2, full_precision=full)

    @staticmethod
    def noise(network: Network, chunks: int) -> Samples:
        shape = (chunks, 2, network.chunk_frames)
        return 0.1 * np.random.default_rng(0).standard_normal(shape, np.float32)

    @pytest.mark.parametrize(
        "model", ["htdemucs", "hdemucs_mmi", "melband_roformer_kim", "bs_roformer_ep317"]
    )
    def test_half_precision_is_close_to_full(self, model: str, tmp_path: Path):
        half, full = self.loaded(model, tmp_path), self.loaded(model, tmp_path, full=True)
        assert (half.device, half.precision) == ("cuda", Precision.FLOAT16)
        assert (full.device, full.precision) == ("cuda", Precision.FLOAT32)
        assert half.batch >= 1
        burst = np.zeros((1, 2, half.chunk_frames), np.float32)
        burst[..., 100_000:100_100] = self.noise(half, 1)[..., :100]

        for mix in (self.noise(half, 2), burst):
            found, wanted = half(mix), full(mix)
            assert found.dtype == np.float32
            error = max(np.square(found - wanted, dtype=np.float64).sum(), 1e-30)
            assert 10 * np.log10(np.square(wanted, dtype=np.float64).sum() / error) > 40

    def test_memory_that_others_took_makes_batches_smaller(self, tmp_path: Path):
        network = self.loaded("htdemucs", tmp_path)
        mix = self.noise(network, 4)
        wanted = network(mix)
        network.batch = 4
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        network(mix[:2])
        enough_for_two = torch.cuda.max_memory_reserved() * 1.05

        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(enough_for_two / total)
        try:
            stems = network(mix)
            assert network.batch in {1, 2}
            np.testing.assert_allclose(stems, wanted, atol=1e-2)

            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(0.0)
            with pytest.raises(NetworkFailed, match="memory of the GPU is not enough"):
                network(mix)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
