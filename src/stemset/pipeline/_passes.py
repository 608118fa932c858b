"""One run's passes over its recording: decode → separate → close → encode and measure.

The decoder is a process, the reader a thread, the networks use their own threads, and each stem is
encoded and measured in a thread of its own, all at the same time, with bounded queues between.
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import DecodeLimits, Decoder, Samples
from stemset.audio.files import writing
from stemset.pipeline._excess import ExcessFiles
from stemset.pipeline._stages import ReadAhead
from stemset.pipeline._stem_stages import ClosingStage, Stem, full_scale
from stemset.pipeline._written_stems import WrittenStems
from stemset.pipeline.metadata import StemResult, Timings
from stemset.pipeline.networks import Networks
from stemset.pipeline.plan import Job
from stemset.pipeline.progress import Clock
from stemset.separation.closing import Closing, Overshoot, SumError
from stemset.separation.network import Network
from stemset.separation.quality import QualityMeter, borders_of
from stemset.separation.separator import Separator
from stemset.separation.signals import Signal, SignalPlan
from stemset.separation.statistics import Normalisation

_BLOCKS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the recording gave.

    Attributes:
        stems: What is known about each stem.
        frames: Frames of the recording, and of every stem.
        sum_error: How far the stems' sum is from the mix.
        overshoot: What the format could not hold.
        warnings: What was noticed of the recording and the stems.
        timings: Where the time went.
    """

    stems: Mapping[str, StemResult]
    frames: int
    sum_error: SumError
    overshoot: Overshoot
    warnings: tuple[str, ...]
    timings: Timings


class _Signals(Protocol):
    """What gives the signals of a plan: the networks, or stems that they made."""

    def push(self, block: Samples, /) -> Iterable[tuple[Signal, NDArray[np.floating]]]: ...

    def finish(self) -> Iterable[tuple[Signal, NDArray[np.floating]]]: ...


@dataclass(frozen=True, slots=True)
class Passes:
    """What all passes over one recording share."""

    job: Job
    plan: SignalPlan
    networks: Networks
    folder: Path
    clock: Clock
    limits: DecodeLimits
    begun: float
    normalisation: Normalisation | None

    def compute(self, opened: Decoder | None = None) -> Pass:
        """Run the recording through the networks; stems are written as far as they fit."""
        # The decoder starts and fills its queue while networks are loaded.
        with self._reading(opened) as mix:
            separator = self._separator(self.loaded())
            with ExcessFiles(self._computed) as excess:
                depth = self.job.encoding.depth
                closing = Closing(self.plan, depth, on_excess=excess.keep)
                return self._stream(mix, separator, closing)

    def lower(self, computed: Pass, gain_db: float) -> Pass:
        """Write the stems that were computed once more, with one common gain."""
        plan, encoding = self.plan.of_stems(), self.job.encoding
        excess = ExcessFiles(self._computed)
        files = {name: self._set_aside(stem.files[0]) for name, stem in computed.stems.items()}
        step = 1 / full_scale(encoding)
        with (
            self._reading() as mix,
            WrittenStems(plan, files, excess, step=step, limits=self.limits) as stems,
        ):
            closing = Closing(plan, encoding.depth, gain=10 ** (gain_db / 20))
            lowered = self._stream(mix, stems, closing)
        with writing(self._computed):
            shutil.rmtree(self._computed)
        return replace(lowered, timings=computed.timings.with_lowering(lowered.timings))

    @property
    def _computed(self) -> Path:
        """Folder of stems that are too loud, and of what their files could not hold."""
        return self.folder / "computed"

    def _set_aside(self, file: Path) -> Path:
        """Make room for a stem's second file."""
        with writing(file):
            return file.rename(self._computed / file.name)

    @contextmanager
    def _reading(self, opened: Decoder | None = None) -> Iterator["_Mix"]:
        with opened or Decoder(self.job.recording.path, self.limits) as decoder:
            blocks = ReadAhead(decoder, depth=_BLOCKS_AHEAD)
            try:
                yield _Mix(decoder, blocks)
            finally:
                blocks.stop()

    def _stream(self, mix: "_Mix", signals: _Signals, closing: Closing) -> Pass:
        """Stream the recording and its signals into the stems' files."""
        ready_s = time.perf_counter() - self.begun
        with ExitStack() as stack:
            stems = {
                name: stack.enter_context(Stem(name, self.folder, self.job))
                for name in self.plan.names
            }
            quality = QualityMeter(
                self.plan.names,
                self.job.source.rate_hz,
                borders_of(self.loaded().values()),
                full_scale=full_scale(self.job.encoding),
            )
            stage = ClosingStage(closing, stems, quality)
            stack.callback(stage.stop)
            separate_s = self._separate(mix.blocks, signals, stage)
            overshoot = stage.finish()
            return Pass(
                stems={name: stem.finish() for name, stem in stems.items()},
                frames=mix.decoder.frames,
                sum_error=stage.sum_error,
                overshoot=overshoot,
                warnings=(*mix.decoder.warnings, *stage.warnings()),
                timings=Timings(
                    ready_s=ready_s,
                    decode_cpu_s=mix.decoder.cpu_s,
                    separate_s=separate_s,
                    close_s=stage.busy_s,
                    stems_s={name: stem.busy_s for name, stem in stems.items()},
                ),
            )

    def _separate(
        self, blocks: ReadAhead[Samples], signals: _Signals, closing: ClosingStage
    ) -> float:
        """Run the blocks of the mix through; returns the time that the signals took."""
        busy_s = 0.0
        for block in blocks:
            closing.put_mix(block)
            begun = time.perf_counter()
            ready = list(signals.push(block))
            busy_s += time.perf_counter() - begun
            closing.put_signals(ready)
            self.clock.tick(block.shape[-1], overshot=closing.overshot)
        begun = time.perf_counter()
        ready = list(signals.finish())
        busy_s += time.perf_counter() - begun
        closing.put_signals(ready)
        return busy_s

    def loaded(self) -> dict[str, Network]:
        """The networks, loaded if they are not yet."""
        return self.networks.load(self.plan, original_manner=self.job.original_manner)

    def _separator(self, networks: Mapping[str, Network]) -> Separator:
        source = self.job.source
        return Separator(
            self.plan,
            networks,
            rate_hz=source.rate_hz,
            channels=source.channels,
            normalisation=self.normalisation,
        )


@dataclass(frozen=True, slots=True)
class _Mix:
    """The recording while it is read."""

    decoder: Decoder
    blocks: ReadAhead[Samples]
