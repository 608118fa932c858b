"""Crossfaded overlap-add: an endless stream through a network that sees fixed chunks.

Chunk k covers the samples ``k × hop … k × hop + chunk``, where ``hop = chunk − overlap``. In the
overlap the results of two chunks are crossfaded; the weights of the two always sum to one. Close
to its borders a chunk's result is poor (the network sees silence beyond them), so a raised cosine
keeps away from them by a guard. The linear fade is what triangular weights over whole chunks come
to, divided by their sum: no two chunks but neighbours overlap.

Sources: raised cosines as in Princen & Bradley, "Analysis/synthesis filter bank design based on
time domain aliasing cancellation", 1986, used on power-complementary slopes; triangular weights
and the centred last chunk as in ``demucs.apply.apply_model`` of demucs 4.1.
"""

from collections.abc import Iterator

import numpy as np

from stemset.separation.network import Fade, LastChunk, Network, Samples
from stemset.separation.statistics import Normalisation

_GUARD_SHARE = 1 / 16
_KEPT_AXES = ((0, 0),) * 3  # lanes, slots and channels keep their size


class OverlapAdd:
    """Streams lanes through one network.

    It holds one chunk and a half of input and one overlap of output, however long the stream is.
    """

    def __init__(
        self, network: Network, lanes: int, normalisation: Normalisation | None = None
    ) -> None:
        """Set up the stream.

        Args:
            network: The network.
            lanes: Number of stereo lanes.
            normalisation: What the network's input is scaled by.
        """
        self._network = network
        self._normalisation = normalisation
        self._chunk = network.chunk_frames
        self._overlap = network.overlap_frames
        self._hop = self._chunk - self._overlap
        self._fade_in = fade_in(self._overlap, network.fade)
        self._input = np.zeros((lanes, 2, self._chunk), np.float32)
        self._filled = network.lead_frames
        self._lead = network.lead_frames
        # What came before the input: a last chunk in the middle reaches so far back.
        past = self._chunk // 2 if network.last_chunk is LastChunk.CENTRED else 0
        self._past = np.zeros((lanes, 2, past), np.float32)
        self._past_filled = 0
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
        self._move_on()
        return mix, stems

    def _move_on(self) -> None:
        """Let the input begin a hop later."""
        if kept := self._past.shape[-1]:
            seen = np.concatenate((self._past, self._input[..., : self._hop]), axis=-1)
            self._past[:] = seen[..., -kept:]
            self._past_filled = min(self._past_filled + self._hop, kept)
        self._input[..., : self._overlap] = self._input[..., self._hop :].copy()
        self._filled = max(self._filled - self._hop, 0)

    def _separate(self) -> Samples:
        """Give the network's slots (lanes, slots, 2, chunk) for the input as it stands."""
        if not self._input.any():
            lanes = self._input.shape[0]
            return np.zeros((lanes, len(self._network.slots), 2, self._chunk), np.float32)
        if self._filled == self._chunk or self._network.last_chunk is LastChunk.AT_START:
            return self._compute(self._input, 0, self._filled)
        if self._network.last_chunk is LastChunk.SHORT:
            stems = self._compute(self._input[..., : self._filled].copy(), 0, self._filled)
        else:
            stems = self._centred()
        return np.pad(stems, (*_KEPT_AXES, (0, self._chunk - stems.shape[-1])))

    def _centred(self) -> Samples:
        """Compute the end of the stream in the middle of a chunk."""
        before = (self._chunk - self._filled) // 2
        chunk = np.zeros_like(self._input)
        chunk[..., :before] = self._past[..., self._past.shape[-1] - before :]
        stop = before + self._filled
        chunk[..., before:stop] = self._input[..., : self._filled]
        known = min(before, self._past_filled)
        return self._compute(chunk, before - known, stop)[..., before:stop]

    def _compute(self, chunk: Samples, start: int, stop: int) -> Samples:
        """Run the network over a chunk whose frames ``start`` to ``stop`` are of the stream."""
        if self._normalisation is None:
            return self._network(chunk)
        scaled = np.zeros_like(chunk)
        scaled[..., start:stop] = self._normalisation.apply(chunk[..., start:stop])
        return self._normalisation.undo(self._network(scaled))


def fade_in(frames: int, fade: Fade) -> Samples | None:
    """The rising slope of a crossfade.

    Returns:
        Weights of shape ``(frames,)`` with ``w + reversed(w) == 1``, None where chunks are added.
        A raised cosine has a guard of zeros before it and one of ones behind it.
    """
    if fade is Fade.SUM:
        return None
    if fade is Fade.LINEAR:
        return ((np.arange(frames) + 1) / (frames + 1)).astype(np.float32)
    guard = int(frames * _GUARD_SHARE)
    slope = np.zeros(frames)
    ramp = frames - 2 * guard
    slope[guard : guard + ramp] = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    slope[guard + ramp :] = 1
    return slope.astype(np.float32)
