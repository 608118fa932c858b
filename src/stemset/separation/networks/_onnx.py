"""An ONNX graph on a GPU or the CPU, set for little memory and no wasted CPU time."""

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    RuntimeException,
)

from stemset.errors import NetworkFailed
from stemset.separation.network import Samples
from stemset.separation.networks.gpu import CPU, CUDA, onnx_trouble

_RUNTIME_ERRORS = (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    RuntimeException,
    MemoryError,
)
_ONLY_ERRORS = 3
_CUDA_PROVIDER = "CUDAExecutionProvider"
# Source: malloc.h of glibc.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BYTES = 1 << 20


class OnnxGraph:
    """A graph with one output, loaded and ready."""

    def __init__(self, path: Path, *, threads: int) -> None:
        """Load a graph.

        Args:
            path: The ONNX file.
            threads: Threads that one run may use.

        Raises:
            NetworkFailed: The runtime does not load the file.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ONLY_ERRORS
        # Waiting threads that spin would burn the cores that decode and encode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        _keep_memory_small()
        try:
            self._session = ort.InferenceSession(path, options, providers=_providers())
        except _RUNTIME_ERRORS as error:
            raise NetworkFailed(f"The network {path.name} cannot be loaded: {error}") from error
        _return_freed_memory()

    @property
    def device(self) -> str:
        """What the graph computes on: the runtime falls back to the CPU where CUDA fails."""
        return CUDA if _CUDA_PROVIDER in self._session.get_providers() else CPU

    @property
    def gpu_trouble(self) -> str | None:
        """Why it computes on the CPU though the runtime is the one for GPUs."""
        return onnx_trouble(ort.get_available_providers(), self._session.get_providers())

    @property
    def inputs(self) -> dict[str, tuple[int | str | None, ...]]:
        """The shapes of what it takes, by name; a length that may differ is a name or None."""
        return {found.name: tuple(found.shape) for found in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, Samples]) -> Samples:
        """Compute the graph's output.

        Raises:
            NetworkFailed: The runtime raised an error.
        """
        try:
            return cast("Samples", self._session.run(None, inputs)[0])
        except _RUNTIME_ERRORS as error:
            raise NetworkFailed(f"The network failed while it computed: {error}") from error


def _providers() -> list[str]:
    """What can compute, the fastest first."""
    return [
        name
        for name in (_CUDA_PROVIDER, "CPUExecutionProvider")
        if name in ort.get_available_providers()
    ]


def _keep_memory_small() -> None:
    """Have large blocks returned to the system as soon as they are free.

    glibc raises its threshold for this with every large block that is freed, and then keeps
    them: 65 MB of the 550 MB that splitting 48 kHz stereo takes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def _return_freed_memory() -> None:
    """Give what loading freed back to the system.

    glibc keeps it otherwise: of the default model's 232 MB after loading, 100 MB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
