"""What all networks of PyTorch have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stemset.errors import NetworkFailed


def device_for(threads: int) -> str:
    """Make PyTorch ready. Returns where networks are to compute, ``cuda`` or ``cpu``.

    Args:
        threads: Threads that it may keep busy on a CPU.
    """
    torch.set_num_threads(threads)
    return "cuda" if torch.cuda.is_available() else "cpu"


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
