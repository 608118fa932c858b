"""Stems that a pass wrote, read again as what was computed: in the place of the networks."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import DecodeLimits, Decoder, Samples
from stemset.pipeline._excess import Excess, ExcessFiles
from stemset.pipeline._stages import ReadAhead
from stemset.separation.signals import Signal, SignalPlan

_BLOCKS_AHEAD = 4


class WrittenStems:
    """Gives the signals of ``SignalPlan.of_stems`` as far as the mix has come."""

    def __init__(
        self,
        plan: SignalPlan,
        files: Mapping[str, Path],
        excess: ExcessFiles,
        *,
        step: float,
        limits: DecodeLimits,
    ) -> None:
        """Open the files.

        Args:
            plan: What of them is read.
            files: Each stem's audio.
            excess: What the files could not hold.
            step: A step of the files' depth, full scale is 1.
            limits: Limits of the decoders.
        """
        self._frames = 0
        with ExitStack() as stack:
            self._stems = [
                (signal, stack.enter_context(_Stem(files[name], excess.of(name), step, limits)))
                for name, signal in plan.stems.items()
            ]
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def push(self, mix: Samples) -> Iterator[tuple[Signal, NDArray[np.float64]]]:
        """Take a block of the mix; gives every signal at least as far as the mix goes."""
        self._frames += mix.shape[-1]
        for signal, stem in self._stems:
            for block in stem.until(self._frames):
                yield signal, block

    def finish(self) -> Iterator[tuple[Signal, NDArray[np.float64]]]:
        """Nothing is held back."""
        return iter(())


class _Stem:
    """One stem's file."""

    def __init__(self, file: Path, excess: Excess, step: float, limits: DecodeLimits) -> None:
        self._decoder = Decoder(file, limits)
        self._blocks = ReadAhead(self._decoder, depth=_BLOCKS_AHEAD)
        self._excess = excess
        self._step = step
        self._frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()
        self._blocks.stop()

    def until(self, frame: int) -> Iterator[NDArray[np.float64]]:
        """The next blocks, up to a frame at least."""
        while self._frames < frame:
            block = next(self._blocks).astype(np.float64)
            self._frames += block.shape[-1]
            self._excess.add_to(block, self._step)
            yield block
