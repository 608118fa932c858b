"""The port: what the engine asks of a network, and nothing else."""

from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Fade(StrEnum):
    """How the results of two chunks are joined where they overlap."""

    RAISED_COSINE = "raised-cosine"
    LINEAR = "linear"
    SUM = "sum"
    """They are added, for networks whose own windows fade."""


class LastChunk(StrEnum):
    """Where that stands which does not fill a chunk any more."""

    AT_START = "at-start"
    """Silence follows it."""
    CENTRED = "centred"
    """In the middle: what came before it stands before it, silence follows."""
    SHORT = "short"
    """Alone: the network takes shorter chunks as well."""


class Precision(StrEnum):
    """What a network computes in, from the finest to the coarsest."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class Network(Protocol):
    """A loaded network.

    Chunking, crossfading, rates and channels are the engine's; transforms are the network's.

    Attributes:
        slots: Names of the signals that it gives, in order.
        rate_hz: The rate that it computes at.
        chunk_frames: Length of its input.
        overlap_frames: How much of a chunk is shared with the next.
        fade: How chunks are joined.
        lead_frames: Silence that the network wants before the first sample.
        last_chunk: How the end of a stream is put into a chunk.
        normalised: Whether the network wants a recording with a mean of 0 and a deviation of 1.
        device: What it computes on, ``cpu`` or ``cuda``.
        gpu_trouble: Why it does not compute on a GPU that it should use, None if all is well.
        precision: What it computes in; what it takes and gives is float32.
        batch: How many chunks it takes at once to be fastest. It may shrink while it runs.
    """

    slots: tuple[str, ...]
    rate_hz: int
    chunk_frames: int
    overlap_frames: int
    fade: Fade
    lead_frames: int
    last_chunk: LastChunk
    normalised: bool
    device: str
    gpu_trouble: str | None
    precision: Precision
    batch: int

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks, any number of them.

        Args:
            mix: ``(batch, 2, chunk_frames)``, or fewer frames if its last chunk may be short.

        Returns:
            ``(batch, slots, 2, frames)``, as many as it was given.

        Raises:
            NetworkFailed: The runtime raised an error.
        """
        ...
