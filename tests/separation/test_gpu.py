"""A GPU that is here and not used is said; that there is none is fine."""

from pathlib import Path

import onnxruntime
import pytest
import torch

from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
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
