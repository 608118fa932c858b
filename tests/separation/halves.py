"""A real, tiny network: its stems are known, so the engine around it can be checked exactly."""

from dataclasses import dataclass

import numpy as np

from stemset.separation.network import Fade, LastChunk, Precision, Samples


@dataclass
class Halves:
    """Gives half of the mix as vocals; notes what it was asked."""

    slots: tuple[str, ...] = ("vocals",)
    rate_hz: int = 44_100
    chunk_frames: int = 1000
    overlap_frames: int = 200
    fade: Fade = Fade.RAISED_COSINE
    lead_frames: int = 0
    last_chunk: LastChunk = LastChunk.AT_START
    normalised: bool = False
    device: str = "cpu"
    gpu_trouble: str | None = None
    precision: Precision = Precision.FLOAT32
    batch: int = 1
    calls: int = 0

    def __call__(self, mix: Samples) -> Samples:
        self.calls += 1
        return np.float32(0.5) * mix[:, np.newaxis]
