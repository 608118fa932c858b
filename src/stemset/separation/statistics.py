"""What a whole recording is scaled by, for networks that were trained on scaled recordings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemset.separation.network import Samples

_SMALLEST = 1e-8


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A recording's mean and deviation, taken over the mean of its channels.

    Attributes:
        mean: What is subtracted.
        deviation: What is divided by.
        restores_mean: Whether every slot gets the mean back, as ``demucs.api.Separator`` does it;
            otherwise no slot has it, and it stays with the stem that closes the sum.
    """

    mean: float
    deviation: float
    restores_mean: bool = False

    def apply(self, mix: Samples) -> Samples:
        """Scale a mix of any shape for the network."""
        return (mix - np.float32(self.mean)) / np.float32(self.deviation)

    def undo(self, slots: Samples) -> Samples:
        """Scale what the network gave, in place."""
        slots *= np.float32(self.deviation)
        if self.restores_mean:
            slots += np.float32(self.mean)
        return slots


class StatisticsMeter:
    """Measures a recording block by block, in memory that does not grow."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._frames = 0
        self._sum = 0.0
        self._sum_of_squares = 0.0

    def push(self, block: NDArray[np.floating]) -> None:
        """Take a block (channels, frames)."""
        mono = block.mean(axis=0, dtype=np.float64)
        self._frames += mono.size
        self._sum += float(mono.sum())
        self._sum_of_squares += float(np.square(mono).sum())

    def result(self, *, restores_mean: bool = False) -> Normalisation:
        """What everything that was pushed is scaled by."""
        if self._frames == 0:
            return Normalisation(0.0, 1.0)
        mean = self._sum / self._frames
        spread = max(self._sum_of_squares - self._frames * mean**2, 0.0)
        deviation = (spread / max(self._frames - 1, 1)) ** 0.5
        return Normalisation(mean, deviation + _SMALLEST, restores_mean)
