"""What all networks of PyTorch have in common."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from stemset.catalogue.entry import ModelEntry
from stemset.errors import NetworkFailed
from stemset.separation.network import Fade, LastChunk
from stemset.separation.networks.gpu import CPU, CUDA, torch_trouble


class TorchNetwork:
    """What a model of PyTorch tells the engine of itself; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        slots: Collection[str],
        last_chunk: LastChunk,
        *,
        threads: int,
    ) -> None:
        """Take the facts over and make PyTorch ready.

        Args:
            entry: The catalogue entry.
            slots: The slots that are wanted.
            last_chunk: How the end of a stream is put into a chunk.
            threads: Threads that PyTorch may keep busy on a CPU.
        """
        self.slots = tuple(slot for slot in entry.slots if slot in slots)
        self.rate_hz = entry.rate_hz
        self.chunk_frames = entry.chunk_frames
        self.overlap_frames = entry.overlap_frames
        self.fade = Fade.LINEAR
        self.lead_frames = 0
        self.last_chunk = last_chunk
        self.normalised = entry.normalised
        self.device, self.gpu_trouble = device_for(threads)


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


@contextmanager
def computing() -> Iterator[None]:
    """Let a network compute: nothing is kept for training, errors are ours.

    Raises:
        NetworkFailed: PyTorch raised an error.
    """
    try:
        with torch.inference_mode():
            yield
    except (RuntimeError, MemoryError) as error:
        raise NetworkFailed(f"The network failed while it computed: {error}") from error
