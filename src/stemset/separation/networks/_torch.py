"""What all networks of PyTorch have in common."""

import time
from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

from stemset.catalogue.entry import ModelEntry
from stemset.errors import NetworkFailed
from stemset.separation.network import Fade, LastChunk, Precision, Samples
from stemset.separation.networks._batching import Batching, fastest_batch
from stemset.separation.networks._entry import EntryNetwork
from stemset.separation.networks._precision import compute_with_care
from stemset.separation.networks.gpu import CPU, CUDA, torch_trouble

_TYPES = {Precision.FLOAT16: torch.float16, Precision.BFLOAT16: torch.bfloat16}
# What says that a CPU multiplies bfloat16 itself; not every release of PyTorch has both.
_BFLOAT16_CHECKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
# Not every allocation that fails has an error of its own kind.
_SIGNS_OF_TOO_LITTLE_MEMORY = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")
_LARGEST_SHARE_OF_FREE_MEMORY = 0.8


class TorchNetwork(EntryNetwork, Batching):
    """What a model of PyTorch tells the engine of itself, and how it computes; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        slots: Collection[str],
        last_chunk: LastChunk,
        *,
        threads: int,
        full_precision: bool,
    ) -> None:
        """Take the facts over and make PyTorch ready.

        Args:
            entry: The catalogue entry.
            slots: The slots that are wanted.
            last_chunk: How the end of a stream is put into a chunk.
            threads: Threads that PyTorch may keep busy on a CPU.
            full_precision: Compute everything in float32.
        """
        super().__init__(entry, slots, fade=Fade.LINEAR, last_chunk=last_chunk)
        self.device, self.gpu_trouble = device_for(threads)
        if full_precision:
            # By default PyTorch lets a GPU round what it convolves to 11 bits.
            torch.backends.cudnn.allow_tf32 = False
        elif self.device == CUDA:
            self.precision = Precision.FLOAT16
        elif cpu_multiplies_bfloat16():
            self.precision = Precision.BFLOAT16

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks: ``(batch, 2, frames)`` to ``(batch, slots, 2, frames)``."""
        with computing():
            return super().__call__(mix)

    @abstractmethod
    def _forward(self, chunks: torch.Tensor) -> torch.Tensor:
        """Separate chunks on the device, as ``__call__`` does."""

    def _place(self, network: torch.nn.Module) -> torch.nn.Module:
        """Put a network where it computes. Raises NetworkFailed."""
        with computing():
            return network.to(self.device)

    def _choose_batch(self) -> None:
        """Measure how many chunks are best computed at once, when the network is there.

        On a CPU it is one: more gain nothing there.
        """
        if self.device == CUDA:
            with computing():
                self.batch = fastest_batch(self._time_of)
                self._free_memory()

    def _time_of(self, batch: int) -> float:
        """Seconds that the GPU takes for a batch of noise.

        Raises:
            MemoryError: It takes more of the free memory than is good.
        """
        self._free_memory()
        torch.cuda.reset_peak_memory_stats()
        taken_bytes = torch.cuda.memory_reserved()
        free_bytes, _ = torch.cuda.mem_get_info()
        shape = (batch, 2, self.chunk_frames)
        noise = np.random.default_rng(0).standard_normal(shape, np.float32)
        try:
            self._run(noise, self.precision)  # what is done only once is done now
            begun = time.perf_counter()
            self._run(noise, self.precision)
            spent_s = time.perf_counter() - begun
        except RuntimeError as error:
            if self._is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise
        needed_bytes = torch.cuda.max_memory_reserved() - taken_bytes
        if needed_bytes > _LARGEST_SHARE_OF_FREE_MEMORY * free_bytes:
            raise MemoryError(f"{batch} chunks need {needed_bytes} of {free_bytes} free bytes.")
        return spent_s

    def _compute(self, mix: Samples) -> Samples:
        if self.precision is Precision.FLOAT32:
            return self._run(mix, Precision.FLOAT32)
        return compute_with_care(
            mix,
            lambda chunks: self._run(chunks, self.precision),
            lambda chunks: self._run(chunks, Precision.FLOAT32),
        )

    def _run(self, mix: Samples, precision: Precision) -> Samples:
        """Separate a batch in a given precision; it is done when this returns."""
        chunks = torch.from_numpy(mix)
        if self.device == CUDA:
            chunks = chunks.pin_memory().to(CUDA, non_blocking=True)
        with torch.inference_mode(), _autocast(self.device, precision):
            return self._forward(chunks).float().cpu().numpy()

    def _is_out_of_memory(self, error: Exception) -> bool:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            return True
        told = str(error)
        return isinstance(error, RuntimeError) and any(
            sign in told for sign in _SIGNS_OF_TOO_LITTLE_MEMORY
        )

    def _free_memory(self) -> None:
        if self.device == CUDA:
            torch.cuda.empty_cache()


def device_for(threads: int) -> tuple[str, str | None]:
    """Make PyTorch ready.

    Args:
        threads: Threads that it may keep busy on a CPU.

    Returns:
        Where networks are to compute, ``cuda`` or ``cpu``, and what is wrong with a GPU that is
        here and cannot be used.
    """
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        return CUDA, None
    return CPU, torch_trouble(built_for=torch.version.cuda, reason=_why_not())


def _why_not() -> str:
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # the latter where it is not built for it
        return str(error).partition("\n")[0]
    return "no device"


def cpu_multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; without them it is slower than float32."""
    checks = [getattr(torch.cpu, name, None) for name in _BFLOAT16_CHECKS]
    return any(check() for check in checks if check)


def _autocast(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Let PyTorch compute in a precision, except what needs float32, such as sums and spectra."""
    if precision is Precision.FLOAT32:
        return nullcontext()
    return torch.autocast(device, _TYPES[precision])


@contextmanager
def computing() -> Iterator[None]:
    """Let PyTorch compute: its errors are ours.

    Raises:
        NetworkFailed: PyTorch raised an error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise NetworkFailed(f"The network failed while it computed: {error}") from error
