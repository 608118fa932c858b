"""Recordings of a few seconds, as many different ones as are wanted."""

import io
import random
import wave
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44_100


@dataclass
class Takes:
    """Cuts recordings out of a song.

    Attributes:
        song: ``(2, frames)`` at 44.1 kHz.
        seed: The same seed cuts the same recordings.
    """

    song: NDArray[np.float32]
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - nothing is secret here

    def wav(self, seconds: float = 2.0) -> bytes:
        """A recording that no earlier one equals: 16 bit, stereo."""
        start = self._random.randrange(self.song.shape[1])
        gain = self._random.uniform(0.5, 1.0)
        wanted = np.arange(start, start + round(seconds * RATE_HZ)) % self.song.shape[1]
        samples = np.rint(self.song[:, wanted] * gain * 32767).astype("<i2")
        file = io.BytesIO()
        with wave.open(file, "wb") as written:
            written.setnchannels(2)
            written.setsampwidth(2)
            written.setframerate(RATE_HZ)
            written.writeframes(samples.T.tobytes())
        return file.getvalue()
