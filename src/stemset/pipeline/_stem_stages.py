"""The threads behind the networks: one closes the sum, one for each stem writes and measures."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import Samples
from stemset.audio.encode import Encoding, StemWriter
from stemset.audio.loudness import LoudnessMeter
from stemset.audio.peaks import PeaksWriter
from stemset.pipeline._stages import Stage
from stemset.pipeline.metadata import StemResult
from stemset.pipeline.plan import Job
from stemset.separation.closing import Block, Closing, Overshoot, SumError
from stemset.separation.quality import ClippingMeter, QualityMeter, in_places
from stemset.separation.signals import Signal

_STEM_BLOCKS_WAITING = 8
_CLOSING_BLOCKS_WAITING = 4


class ClosingStage:
    """Aligns and closes in a thread of its own, and hands the stems to theirs."""

    def __init__(
        self,
        closing: Closing,
        stems: Mapping[str, "Stem"],
        quality: QualityMeter,
    ) -> None:
        self._closing = closing
        self._stems = stems
        self._quality = quality
        self._mix_clipping = ClippingMeter()
        self._stage = Stage("closing", self._handle, depth=_CLOSING_BLOCKS_WAITING)

    @property
    def busy_s(self) -> float:
        return self._stage.busy_s

    @property
    def sum_error(self) -> SumError:
        return self._closing.sum_error

    @property
    def overshot(self) -> bool:
        return bool(self._closing.overshoot.clipped)

    def warnings(self) -> Iterator[str]:
        if places := self._mix_clipping.places:
            yield f"The recording sounds clipped: it stays at full scale in {in_places(places)}."
        yield from self._quality.warnings()

    def put_mix(self, block: Samples) -> None:
        self._stage.put((None, block))

    def put_signals(self, blocks: Iterable[tuple[Signal, NDArray[np.float32]]]) -> None:
        for signal, block in blocks:
            self._stage.put((signal, block))

    def finish(self) -> Overshoot:
        self._stage.finish()
        self._hand_on(self._closing.finish())
        return self._closing.overshoot

    def stop(self) -> None:
        self._stage.stop()

    def _handle(self, item: tuple[Signal | None, Samples]) -> None:
        signal, block = item
        if signal is None:
            self._mix_clipping.push(block)
            self._closing.push_mix(block)
        else:
            self._closing.push_signal(signal, block)
        self._hand_on(self._closing.take())

    def _hand_on(self, pieces: Iterator[Mapping[str, Block]]) -> None:
        for written in pieces:
            self._quality.push(written)
            for name, samples in written.items():
                self._stems[name].put(samples)


class Stem:
    """One stem: its thread, its file, and what is measured of it."""

    def __init__(self, name: str, folder: Path, job: Job) -> None:
        source, encoding = job.source, job.encoding
        title = source.tags.get("title") or Path(job.recording.name).stem
        self._writer = StemWriter(
            folder / name,
            encoding,
            expected_frames=source.frames,
            tags={**source.tags, "title": f"{title} ({name})"},
        )
        self._meter = LoudnessMeter(source.rate_hz, source.channels, source.layout)
        self._peaks = PeaksWriter(folder / name, source.rate_hz)
        self._scale = np.float32(1 / full_scale(encoding))
        self._stage = Stage(f"stem-{name}", self._handle, depth=_STEM_BLOCKS_WAITING)
        self._complete = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stage.stop()
        if not self._complete:
            self._writer.abort()
            self._peaks.abort()

    @property
    def busy_s(self) -> float:
        return self._stage.busy_s

    def put(self, samples: Block) -> None:
        self._stage.put(samples)

    def finish(self) -> StemResult:
        self._stage.finish()
        files, peaks = self._writer.close(), self._peaks.close()
        self._complete = True
        return StemResult(files=files, peaks=peaks, loudness=self._meter.result())

    def _handle(self, samples: Block) -> None:
        self._writer.write(samples)
        block = samples if self._scale == 1 else samples * self._scale
        block = block.astype(np.float32, copy=False)
        self._meter.push(block)
        self._peaks.push(block)


def full_scale(encoding: Encoding) -> float:
    """The largest magnitude of samples as they are written."""
    depth = encoding.depth
    return 1.0 if depth is None or depth.is_float else 2.0 ** (depth.bits - 1)
