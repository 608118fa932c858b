"""Samples as they will stand in the files, and the stem that closes the sum.

The signals of a strategy arrive at the recording's rate, each with its own delay. Here they are
aligned, rounded to the depth of the file, and the closing stem is computed from what was rounded:
``mix − Σ others``, in integers. So the stems add up to the mix in their last bit. With a gain, all
of it holds for ``mix × gain``.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stemset.audio.formats import Depth
from stemset.separation.signals import Signal, SignalPlan

Block = NDArray[np.floating | np.signedinteger]
OnExcess = Callable[[str, int, Block], None]
"""Called with a stem, a frame, and what was cut off from there on, ``(channels, frames)``."""

_FLOAT64_FROM_BITS = 25
# A network gives half a million frames at once; pieces keep what follows it small.
_PIECE_FRAMES = 1 << 16


@dataclass(slots=True)
class SumError:
    """How far the stems' sum is from the mix (times gain), before encoding.

    Attributes:
        largest: Largest difference of one sample, full scale is 1.
        energy: Sum of the squared differences.
        mix_energy: Sum of the squared mix.
    """

    largest: float = 0.0
    energy: float = 0.0
    mix_energy: float = 0.0

    def add(self, difference: NDArray[np.float64], mix: NDArray[np.float64]) -> None:
        """Take the difference and the mix of some frames."""
        self.largest = max(self.largest, float(np.abs(difference).max(initial=0)))
        # Not BLAS: its threads would wait for work beside those of the network.
        self.energy += float(np.einsum("cf,cf->", difference, difference))
        self.mix_energy += float(np.einsum("cf,cf->", mix, mix))

    @property
    def exact(self) -> bool:
        """Whether every sample adds up."""
        return self.largest == 0

    @property
    def db(self) -> float | None:
        """Energy of the difference relative to the mix, None if there is no difference."""
        if self.energy == 0 or self.mix_energy == 0:
            return None
        return 10 * math.log10(self.energy / self.mix_energy)


@dataclass(slots=True)
class Overshoot:
    """What an integer format could not hold.

    Attributes:
        peak: Largest absolute sample that was to be written, full scale is 1.
        clipped: Number of samples that were clipped.
    """

    peak: float = 0.0
    clipped: int = 0


@dataclass(slots=True)
class Fifo:
    """Blocks of one signal that wait for the others.

    Attributes:
        blocks: The blocks, the oldest first.
        frames: Frames of all of them.
    """

    blocks: deque[Block] = field(default_factory=deque[Block])
    frames: int = 0

    def push(self, block: Block) -> None:
        """Take a block (channels, frames)."""
        if block.shape[-1]:
            self.blocks.append(block)
            self.frames += block.shape[-1]

    def take(self, frames: int) -> Block:
        """Give the next frames, of which there must be enough."""
        parts: list[Block] = []
        missing = frames
        while missing:
            head = self.blocks.popleft()
            if head.shape[-1] > missing:
                self.blocks.appendleft(head[..., missing:])
                head = head[..., :missing]
            parts.append(head)
            missing -= head.shape[-1]
        self.frames -= frames
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


class Closing:
    """Aligns, rounds and closes the signals of one recording."""

    def __init__(
        self,
        plan: SignalPlan,
        depth: Depth | None,
        *,
        gain: float = 1.0,
        on_excess: OnExcess = lambda _stem, _frame, _excess: None,
    ) -> None:
        """Set up the last step.

        Args:
            plan: The strategy's signals.
            depth: Depth of the samples in the files; None for lossy formats, which take floats.
            gain: Linear factor on everything.
            on_excess: Told what an integer depth could not hold.
        """
        self._plan = plan
        self._bits = depth.bits if depth and not depth.is_float else None
        self._gain = gain
        self._on_excess = on_excess
        self._frames = 0
        self._mix = Fifo()
        subtracted = plan.closing.subtracted if plan.closing else ()
        self._signals = {signal: Fifo() for signal in (*plan.stems.values(), *subtracted)}
        self.sum_error = SumError()
        self.overshoot = Overshoot()

    def push_mix(self, block: NDArray[np.floating]) -> None:
        """Take a block of the mix, ``(channels, frames)``."""
        self._mix.push(block)

    def push_signal(self, signal: Signal, block: NDArray[np.floating]) -> None:
        """Take a block of a signal, ``(channels, frames)``."""
        self._signals[signal].push(block)

    def take(self) -> Iterator[Mapping[str, Block]]:
        """Give the frames that all signals have reached, in pieces.

        Yields:
            For each stem ``(channels, n)``: ``int32`` right-aligned for an integer depth,
            otherwise ``float32``.
        """
        while ready := min(fifo.frames for fifo in (self._mix, *self._signals.values())):
            yield self._close(min(ready, _PIECE_FRAMES))

    def finish(self) -> Iterator[Mapping[str, Block]]:
        """Give what is left: every stem has exactly as many frames as the mix."""
        yield from self.take()
        missing = self._mix.frames
        if missing:
            channels = self._mix.blocks[0].shape[0]
            for fifo in self._signals.values():
                fifo.push(np.zeros((channels, missing - fifo.frames), np.float32))
            yield from self.take()

    def _close(self, frames: int) -> Mapping[str, Block]:
        mix = self._mix.take(frames)
        signals = {signal: self._round(fifo.take(frames)) for signal, fifo in self._signals.items()}
        stems = {stem: signals[signal] for stem, signal in self._plan.stems.items()}
        if closing := self._plan.closing:
            rest = self._round(mix, keep=True)
            for signal in closing.subtracted:
                rest = rest - signals[signal]
            stems[closing.stem] = rest
        written = {name: self._fit(name, stems[name]) for name in self._plan.names}
        self._frames += frames
        if self._plan.adds_up:
            self._measure(mix, written)
        return written

    def _round(self, block: Block, *, keep: bool = False) -> Block:
        """Bring samples to the file's depth, unclipped; floats stay floats.

        ``keep`` keeps the mix's own precision, for samples that no float32 can hold.
        """
        if self._gain != 1.0:
            block = block * block.dtype.type(self._gain)
        if self._bits is None:
            return block if keep else block.astype(np.float32, copy=False)
        if self._bits >= _FLOAT64_FROM_BITS:
            return np.rint(block.astype(np.float64) * 2.0 ** (self._bits - 1)).astype(np.int64)
        return np.rint(block * block.dtype.type(2.0 ** (self._bits - 1))).astype(np.int32)

    def _fit(self, stem: str, block: Block) -> Block:
        """Clip to what the file can hold, and count and tell what was clipped."""
        if self._bits is None:
            return block.astype(np.float32, copy=False)
        top = 2 ** (self._bits - 1)
        low, high = int(block.min(initial=0)), int(block.max(initial=0))
        self.overshoot.peak = max(self.overshoot.peak, high / (top - 1), -low / top)
        if low < -top or high >= top:
            held = block.clip(-top, top - 1)
            self.overshoot.clipped += int((held != block).sum())
            self._on_excess(stem, self._frames, block - held)
            block = held
        return block.astype(np.int32, copy=False)

    def _measure(self, mix: Block, stems: Mapping[str, Block]) -> None:
        scale = 1.0 if self._bits is None else 2.0 ** (1 - self._bits)
        wanted = mix.astype(np.float64) * self._gain
        total = np.zeros_like(wanted)
        for stem in stems.values():
            total += stem
        self.sum_error.add(total * scale - wanted, wanted)
