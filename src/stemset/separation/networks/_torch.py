"""What all networks of PyTorch have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stemset.errors import NetworkFailed
from stemset.separation.networks.gpu import CPU, CUDA, torch_trouble


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
