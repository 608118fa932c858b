"""Crossfaded overlap-add: an endless stream through a network that sees fixed chunks.

Chunk k covers the samples ``k × hop … k × hop + chunk``, where ``hop = chunk − overlap``. In the
overlap the results of two chunks are crossfaded; the weights of the two always sum to one. Close
to its borders a chunk's result is poor (the network sees silence beyond them), so the fade keeps
away from them by a guard.

Source: the windows are raised cosines, as in Princen & Bradley, "Analysis/synthesis filter bank
design based on time domain aliasing cancellation", 1986, used on power-complementary slopes.
"""

from collections.abc import Iterator

import numpy as np

from stemset.separation.network import Network, Samples

_GUARD_SHARE = 1 / 16


class OverlapAdd:
    """Streams lanes through one network.

    It holds one chunk of input and one overlap of output, however long the stream is.
    """

    def __init__(self, network: Network, lanes: int) -> None:
        """Set up the stream.

        Args:
            network: The network.
            lanes: Number of stereo lanes.
        """
        self._network = network
        self._chunk = network.chunk_frames
        self._overlap = network.overlap_frames
        self._hop = self._chunk - self._overlap
        self._fade_in = fade_in(self._overlap) if network.crossfaded else None
        self._input = np.zeros((lanes, 2, self._chunk), np.float32)
        self._filled = network.lead_frames
        self._lead = network.lead_frames
        self._tail: Samples | None = None

    def push(self, mix: Samples) -> Iterator[tuple[Samples, Samples]]:
        """Take lanes of the mix ``(lanes, 2, frames)``, any number of frames.

        Yields:
            The mix ``(lanes, 2, n)`` and the network's slots ``(lanes, slots, 2, n)`` for the
            next n frames, each frame once and in order.
        """
        taken = 0
        while taken < mix.shape[-1]:
            part = mix[..., taken : taken + self._chunk - self._filled]
            self._input[..., self._filled : self._filled + part.shape[-1]] = part
            self._filled += part.shape[-1]
            taken += part.shape[-1]
            if self._filled == self._chunk:
                yield self._step(self._hop)

    def finish(self) -> Iterator[tuple[Samples, Samples]]:
        """Compute what is left, padded with silence.

        Yields:
            As ``push``, up to the last frame that was pushed.
        """
        # What stands in the input after a step is the overlap, whose output is still to come.
        while self._filled > 0:
            self._input[..., self._filled :] = 0
            yield self._step(min(self._filled, self._hop))

    def _step(self, ready: int) -> tuple[Samples, Samples]:
        """Separate the chunk, give its first ``ready`` frames, keep the rest."""
        stems = self._separate()
        if self._tail is not None:
            head = stems[..., : self._overlap]
            if self._fade_in is not None:
                head *= self._fade_in
            head += self._tail
        self._tail = stems[..., self._hop :].copy()
        if self._fade_in is not None:
            self._tail *= 1 - self._fade_in
        mix = self._input[..., self._lead : ready].copy()
        stems = stems[..., self._lead : ready]
        self._lead = 0
        self._input[..., : self._overlap] = self._input[..., self._hop :].copy()
        self._filled = max(self._filled - self._hop, 0)
        return mix, stems

    def _separate(self) -> Samples:
        if self._input.any():
            return self._network(self._input)
        lanes = self._input.shape[0]
        return np.zeros((lanes, len(self._network.slots), 2, self._chunk), np.float32)


def fade_in(frames: int) -> Samples:
    """The rising slope of a crossfade: 0 for a guard, a raised cosine, 1 for a guard.

    Returns:
        Weights of shape ``(frames,)`` with ``w + reversed(w) == 1``.
    """
    guard = int(frames * _GUARD_SHARE)
    slope = np.zeros(frames)
    ramp = frames - 2 * guard
    slope[guard : guard + ramp] = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    slope[guard + ramp :] = 1
    return slope.astype(np.float32)
