"""Batches of chunks: as many at once as is fastest, fewer where memory is not enough.

Memory that was enough when a network was loaded may be taken by others while it computes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from stemset.errors import NetworkFailed
from stemset.separation.network import Samples
from stemset.separation.networks.gpu import CPU

# Where a chunk is 44 s, 16 of them are 1 GB of input and output outside the GPU.
_SIZES = (1, 2, 4, 8, 16)
_WORTHWHILE_GAIN = 0.05

_TOO_LITTLE_MEMORY = (
    "This machine's memory is not enough for this network. "
    "End other programs, or choose a smaller model."
)
_TOO_LITTLE_MEMORY_ON_GPU = (
    "The memory of the GPU is not enough for this network. End other programs that use it, "
    "choose a smaller model, or compute on the CPU with CUDA_VISIBLE_DEVICES=-1."
)


def fastest_batch(time_of: Callable[[int], float]) -> int:
    """Find out how many chunks are best computed at once: 1, 2, 4, 8, 16, as long as that pays.

    Args:
        time_of: Seconds that a batch of this many chunks takes; raises ``MemoryError`` if memory
            is not enough for it.
    """
    best, best_s = 1, math.inf
    for size in _SIZES:
        try:
            per_chunk_s = time_of(size) / size
        except MemoryError:
            break
        if per_chunk_s > best_s * (1 - _WORTHWHILE_GAIN):
            break
        best, best_s = size, per_chunk_s
    return best


class Batching(ABC):
    """A network that is asked for any number of chunks, and computes them in batches.

    Attributes:
        batch: The most chunks that it computes at once. It is halved for good when memory is not
            enough for so many.
        device: What it computes on.
    """

    batch: int
    device: str

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks: ``(batch, 2, frames)`` to ``(batch, slots, 2, frames)``.

        Raises:
            NetworkFailed: Memory is not enough for a single chunk.
        """
        separated: list[Samples] = []
        done = 0
        while done < len(mix):
            part = mix[done : done + self.batch]
            separated.append(self._separate(part))
            done += len(part)
        return separated[0] if len(separated) == 1 else np.concatenate(separated)

    @abstractmethod
    def _compute(self, mix: Samples) -> Samples:
        """Separate a batch, as ``__call__`` does."""

    @abstractmethod
    def _is_out_of_memory(self, error: Exception) -> bool:
        """Whether it says that memory is not enough."""

    @abstractmethod
    def _free_memory(self) -> None:
        """Give back what is kept for later use."""

    def _separate(self, mix: Samples) -> Samples:
        """Separate a batch: in halves, or once more, if memory is not enough for it."""
        if (stems := self._attempt(mix)) is not None:
            return stems
        if len(mix) > 1:
            self.batch = len(mix) // 2
            return self(mix)
        if (stems := self._attempt(mix)) is not None:
            return stems
        raise NetworkFailed(_TOO_LITTLE_MEMORY if self.device == CPU else _TOO_LITTLE_MEMORY_ON_GPU)

    def _attempt(self, mix: Samples) -> Samples | None:
        """Separate a batch; None if memory is not enough."""
        try:
            return self._compute(mix)
        except Exception as error:
            if not self._is_out_of_memory(error):
                raise
        # Outside of the handler: the error holds on to what was computed until then.
        self._free_memory()
        return None
