"""The port: what the engine asks of a network, and nothing else."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Network(Protocol):
    """A loaded network.

    Chunking, crossfading, rates and channels are the engine's; transforms are the network's.

    Attributes:
        slots: Names of the signals that it gives, in order.
        rate_hz: The rate that it computes at.
        chunk_frames: Exact length of its input.
        overlap_frames: How much of a chunk is shared with the next.
        crossfaded: Whether the overlap is crossfaded; otherwise it is a plain sum, for networks
            whose own windows fade.
        lead_frames: Silence that the network wants before the first sample.
        device: What it computes on, ``cpu`` or ``cuda``.
    """

    slots: tuple[str, ...]
    rate_hz: int
    chunk_frames: int
    overlap_frames: int
    crossfaded: bool
    lead_frames: int
    device: str

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks.

        Args:
            mix: ``(batch, 2, chunk_frames)``.

        Returns:
            ``(batch, slots, 2, chunk_frames)``.

        Raises:
            NetworkFailed: The runtime raised an error.
        """
        ...
