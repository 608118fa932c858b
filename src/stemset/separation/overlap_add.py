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

from collections.abc import Iterator, Sequence
from itertools import compress

import numpy as np

from stemset.separation.network import Fade, LastChunk, Network, Samples
from stemset.separation.statistics import Normalisation

_GUARD_SHARE = 1 / 16
_KEPT_AXES = ((0, 0),) * 3  # lanes, slots and channels keep their size


class OverlapAdd:
    """Streams lanes through one network.

    As many chunks as the network takes at once are gathered, each a hop after the one before it,
    and separated together. However long the stream is, it holds their input, half a chunk of what
    came before, and one overlap of output.
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
        self._input = np.zeros((lanes, 2, self._gathered_frames()), np.float32)
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
            part = mix[..., taken : taken + self._input.shape[-1] - self._filled]
            self._input[..., self._filled : self._filled + part.shape[-1]] = part
            self._filled += part.shape[-1]
            taken += part.shape[-1]
            if self._filled == self._input.shape[-1]:
                yield from self._give_full_chunks()

    def finish(self) -> Iterator[tuple[Samples, Samples]]:
        """Compute what is left, padded with silence.

        Yields:
            As ``push``, up to the last frame that was pushed.
        """
        if self._filled >= self._chunk:
            yield from self._give_full_chunks()
        # What stands in the input then is the overlap, whose output is still to come, or more.
        while self._filled > 0:
            ready = min(self._filled, self._hop)
            yield self._give(0, self._separate_last(), ready)
            self._move_on(self._hop)

    def _gathered_frames(self) -> int:
        """How much input the chunks cover that the network takes at once now."""
        return self._chunk + (self._network.batch - 1) * self._hop

    def _give_full_chunks(self) -> Iterator[tuple[Samples, Samples]]:
        """Separate all chunks that the input fills, give the first hop of each, keep the rest."""
        starts = range(0, self._filled - self._chunk + 1, self._hop)
        chunks = [self._input[..., start : start + self._chunk] for start in starts]
        for start, stems in zip(starts, self._separate(chunks), strict=True):
            yield self._give(start, stems, self._hop)
        self._move_on(len(starts) * self._hop)

    def _give(self, start: int, stems: Samples, ready: int) -> tuple[Samples, Samples]:
        """Crossfade a chunk of the input with the one before it; gives its first frames.

        Args:
            start: Where the chunk begins in the input.
            stems: What the network made of it, ``(lanes, slots, 2, chunk)``.
            ready: How many frames are given, with those of the lead.
        """
        if self._tail is not None:
            head = stems[..., : self._overlap]
            if self._fade_in is not None:
                head *= self._fade_in
            head += self._tail
        self._tail = stems[..., self._hop :].copy()
        if self._fade_in is not None:
            self._tail *= 1 - self._fade_in
        mix = self._input[..., start + self._lead : start + ready].copy()
        stems = stems[..., self._lead : ready]
        self._lead = 0
        return mix, stems

    def _move_on(self, frames: int) -> None:
        """Let the input begin so much later, and make it as long as the network wants it now."""
        if kept := self._past.shape[-1]:
            latest = self._input[..., max(frames - kept, 0) : frames]
            self._past[:] = np.concatenate((self._past, latest), axis=-1)[..., -kept:]
            self._past_filled = min(self._past_filled + frames, kept)
        rest = self._input[..., frames : self._filled]
        if self._input.shape[-1] == self._gathered_frames():
            rest = rest.copy()
        else:
            self._input = np.zeros((*rest.shape[:-1], self._gathered_frames()), np.float32)
        self._filled = rest.shape[-1]
        self._input[..., : self._filled] = rest

    def _separate(self, chunks: Sequence[Samples]) -> Iterator[Samples]:
        """Give the network's slots (lanes, slots, 2, chunk) for each chunk (lanes, 2, chunk)."""
        heard = [bool(chunk.any()) for chunk in chunks]
        separated = iter(self._compute_together(list(compress(chunks, heard))))
        for is_heard in heard:
            yield next(separated) if is_heard else self._silence()

    def _compute_together(self, chunks: Sequence[Samples]) -> Sequence[Samples]:
        """Run the network once over chunks (lanes, 2, chunk), each full."""
        if not chunks:
            return []
        mix = np.concatenate(chunks) if len(chunks) > 1 else chunks[0]
        return np.split(self._compute(mix, 0, self._chunk), len(chunks))

    def _separate_last(self) -> Samples:
        """Give the slots (lanes, slots, 2, chunk) for an input that does not fill a chunk."""
        self._input[..., self._filled : self._chunk] = 0
        chunk = self._input[..., : self._chunk]
        if not chunk.any():
            return self._silence()
        if self._network.last_chunk is LastChunk.AT_START:
            return self._compute(chunk, 0, self._filled)
        if self._network.last_chunk is LastChunk.SHORT:
            stems = self._compute(chunk[..., : self._filled].copy(), 0, self._filled)
        else:
            stems = self._centred()
        return np.pad(stems, (*_KEPT_AXES, (0, self._chunk - stems.shape[-1])))

    def _silence(self) -> Samples:
        lanes = self._input.shape[0]
        return np.zeros((lanes, len(self._network.slots), 2, self._chunk), np.float32)

    def _centred(self) -> Samples:
        """Compute the end of the stream in the middle of a chunk."""
        before = (self._chunk - self._filled) // 2
        chunk = np.zeros((self._input.shape[0], 2, self._chunk), np.float32)
        chunk[..., :before] = self._past[..., self._past.shape[-1] - before :]
        stop = before + self._filled
        chunk[..., before:stop] = self._input[..., : self._filled]
        known = min(before, self._past_filled)
        return self._compute(chunk, before - known, stop)[..., before:stop]

    def _compute(self, mix: Samples, start: int, stop: int) -> Samples:
        """Run the network over chunks whose frames ``start`` to ``stop`` are of the stream."""
        if self._normalisation is None:
            return self._network(np.ascontiguousarray(mix))
        scaled = np.zeros(mix.shape, np.float32)
        scaled[..., start:stop] = self._normalisation.apply(mix[..., start:stop])
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
