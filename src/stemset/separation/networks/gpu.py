"""Whether a GPU is here, and what each runtime makes of it."""

from collections.abc import Sequence
from pathlib import Path

_GPUS = Path("/proc/driver/nvidia/gpus")
_FIRST_GPU = Path("/dev/nvidia0")

CPU = "cpu"
CUDA = "cuda"


def gpu_is_here() -> bool:
    """Whether this process sees an NVIDIA GPU, whatever its runtimes say."""
    return _FIRST_GPU.exists() or (_GPUS.is_dir() and any(_GPUS.iterdir()))


def onnx_trouble(available: Sequence[str], used: Sequence[str]) -> str | None:
    """Why ONNX Runtime computes on the CPU though it was installed to use a GPU; None if not.

    Args:
        available: The providers that it is built with.
        used: Those that a loaded graph got.
    """
    provider = "CUDAExecutionProvider"
    if provider not in available or provider in used:
        return None
    seen = "does not load CUDA's libraries" if gpu_is_here() else "sees no GPU"
    return f"The GPU is not used: ONNX Runtime is the one for GPUs, and {seen}."


def torch_trouble(*, built_for: str | None, reason: str | None) -> str | None:
    """Why PyTorch computes on the CPU though it is built for the GPU that is here; None if not.

    Args:
        built_for: The CUDA that it is built for, None for none.
        reason: Why it does not use a GPU, in its own words; None if it does.
    """
    if built_for is None or reason is None or not gpu_is_here():
        return None
    return f"The GPU is not used: PyTorch for CUDA {built_for} says: {reason.rstrip('.')}."
