"""Mix the stems of an output down to one file: what was heard, in memory that does not grow.

```text
 vocals.flac ─▶ Decoder ─┐
 drums.flac  ─▶ Decoder ─┼▶ cut ─▶ Summing ─▶ Stretch ─▶ _Rounding ─▶ StemWriter ─▶ one file
 …                       ┘       (gain, pan) (speed, pitch)
```

The stems of a lossless output add up to the recording in its last bit, and nothing here changes
that: sums are exact, and there is neither dither nor a limiter. If a sample does not fit into the
file, the mix is made once more, as much lower as is needed, and says so. A limiter would change the
sound, and only where it is loudest; a volume is turned up again. 32-bit float files hold anything.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import DecodeLimits, Decoder, Samples
from stemset.audio.encode import Encoding, StemWriter
from stemset.audio.formats import RecordingFormat
from stemset.audio.mix import Mix, Summing, decibels
from stemset.audio.mixdown_order import FileChoice, plan_mixdown
from stemset.errors import InvalidMix, OutputInvalid

if TYPE_CHECKING:
    from stemset.audio._stretch import Stretch

OnProgress = Callable[[float], None]
"""Called with how much is done, 0 to 1; it never falls."""


@dataclass(frozen=True, slots=True)
class Mixdown:
    """A mix that was made.

    Attributes:
        path: The file.
        frames: Its frames, at ``rate_hz``.
        rate_hz: The stems' rate; a lossy file may have another.
        lowered_db: How much lower the whole is than was asked for, so that it fits into the file.
        notes: What of the file is not as the stems are, in words.
    """

    path: Path
    frames: int
    rate_hz: int
    lowered_db: float
    notes: tuple[str, ...]


def mix_down(
    mix: Mix,
    stems: Mapping[str, Path],
    target: Path,
    choice: FileChoice,
    *,
    tags: Mapping[str, str] | None = None,
    limits: DecodeLimits | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Mixdown:
    """Make the file of a mix.

    Args:
        mix: The mix, checked against what there is.
        stems: The file of each stem that is heard, at least.
        target: Where it goes, without a suffix; a file of that name is replaced.
        choice: What file.
        tags: Title, artist and so on.
        limits: What a stem may cost to decode.
        on_progress: Told how far it is.

    Raises:
        InvalidMix: The mix cannot be made of these stems.
        UnsupportedFormat: The file's format cannot hold the mix.
        InputError: A stem cannot be decoded.
        OutputInvalid: The stems do not belong together.
        NoSpace, OutputUnwritable: The file cannot be written.
    """
    heard = {name: stems[name] for name in mix.stems}
    making = _Making(mix, heard, target, choice, tags=tags or {}, limits=limits or DecodeLimits())
    progress = _Progress(on_progress)
    made = making.run(0.0, progress)
    if made is None:
        progress.begin_again()
        made = making.run(making.overshoot_db, progress)
    if made is None:
        raise OutputInvalid("The mix does not fit into its file, although it was lowered.")
    return made


class _Making:
    """What both passes have in common.

    Attributes:
        overshoot_db: How far beyond full scale the mix goes.
    """

    def __init__(
        self,
        mix: Mix,
        stems: Mapping[str, Path],
        target: Path,
        choice: FileChoice,
        *,
        tags: Mapping[str, str],
        limits: DecodeLimits,
    ) -> None:
        self._mix = mix
        self._stems = stems
        self._target = target
        self._choice = choice
        self._tags = tags
        self._limits = limits
        self.overshoot_db = 0.0

    def run(self, lowered_db: float, progress: "_Progress") -> Mixdown | None:
        """Mix from end to end; gives None, and writes nothing, if the mix does not fit."""
        with ExitStack() as resources:
            decoders = {
                name: resources.enter_context(Decoder(path, self._limits))
                for name, path in self._stems.items()
            }
            stems = _one_format(decoders)
            encoding = plan_mixdown(self._mix, stems, self._choice)
            part = _Part.of(self._mix, stems)
            blocks = _mixed(self._mix, decoders, part, len(encoding.channels), progress)
            rounding = _Rounding(encoding, lowered_db)
            try:
                path, frames = self._write(blocks, encoding, rounding, part)
            except _TooLoud:
                progress.expect_another_pass()
                for block in blocks:
                    rounding.measure(block)
                self.overshoot_db = rounding.overshoot_db
                return None
        return Mixdown(path, frames, encoding.source_rate_hz, round(lowered_db, 2), encoding.notes)

    def _write(
        self,
        blocks: Iterator[NDArray[np.floating]],
        encoding: Encoding,
        rounding: "_Rounding",
        part: "_Part",
    ) -> tuple[Path, int]:
        frames = part.expected_frames
        with StemWriter(
            self._target,
            encoding,
            expected_frames=None if frames is None else round(frames / self._mix.speed),
            tags=self._tags,
            for_player=False,
        ) as writer:
            for block in blocks:
                writer.write(rounding.fit(block))
            if not writer.frames:
                raise InvalidMix("The mix begins beyond the end of the stems.")
        return writer.close()[0], writer.frames


@dataclass(frozen=True, slots=True)
class _Part:
    """Which frames are heard.

    Attributes:
        start: The first one.
        end: The one after the last, None for all that there are.
        expected_end: Where that will be, as far as the stems' headers say.
    """

    start: int
    end: int | None
    expected_end: int | None

    @classmethod
    def of(cls, mix: Mix, stems: RecordingFormat) -> "_Part":
        """The part of stems that a mix consists of."""
        start = round(mix.start_s * stems.rate_hz)
        end = None if mix.end_s is None else round(mix.end_s * stems.rate_hz)
        return cls(start, end, stems.frames if end is None else end)

    @property
    def expected_frames(self) -> int | None:
        """How many there will be."""
        return None if self.expected_end is None else max(self.expected_end - self.start, 0)


def _mixed(
    mix: Mix,
    decoders: Mapping[str, Decoder],
    part: _Part,
    channels: int,
    progress: "_Progress",
) -> Iterator[NDArray[np.floating]]:
    """The mix, block by block, as it is heard."""
    summing = Summing(mix, channels)
    rate_hz = next(iter(decoders.values())).format.rate_hz
    stretch = _stretch(mix, rate_hz, channels)
    for blocks in _cut(_in_step(decoders), part, progress):
        block = summing.add(blocks)
        yield stretch.push(block) if stretch else block
    if stretch:
        yield stretch.finish()


def _stretch(mix: Mix, rate_hz: int, channels: int) -> "Stretch | None":
    if not mix.is_stretched:
        return None
    from stemset.audio._stretch import Stretch  # noqa: PLC0415 - its engine loads on use

    return Stretch(rate_hz, channels, mix.speed, mix.semitones)


def _cut(
    blocks: Iterator[Mapping[str, Samples]], part: _Part, progress: "_Progress"
) -> Iterator[Mapping[str, Samples]]:
    """The frames of a part."""
    position = 0
    for step in blocks:
        frames = next(iter(step.values())).shape[1]
        end = position + frames if part.end is None else min(position + frames, part.end)
        first, last = max(part.start - position, 0), end - position
        if first < last:
            yield {name: block[:, first:last] for name, block in step.items()}
        position += frames
        if part.expected_end:
            progress.tell(min(position / part.expected_end, 1.0))
        if part.end is not None and position >= part.end:
            return


def _in_step(decoders: Mapping[str, Decoder]) -> Iterator[Mapping[str, Samples]]:
    """One block of each stem at a time; the next ones are decoded meanwhile."""
    streams = {name: iter(decoder) for name, decoder in decoders.items()}
    with ThreadPoolExecutor(len(streams), "stemset-mix") as threads:
        while True:
            coming = {name: threads.submit(next, each, None) for name, each in streams.items()}
            step = {name: future.result() for name, future in coming.items()}
            blocks = {name: block for name, block in step.items() if block is not None}
            if not blocks:
                return
            if len({block.shape[1] for block in blocks.values()}) > 1 or len(blocks) < len(step):
                raise OutputInvalid("The stems have different lengths: they are of no one mix.")
            yield blocks


def _one_format(decoders: Mapping[str, Decoder]) -> RecordingFormat:
    """What all stems are made of. Raises OutputInvalid if that differs."""
    formats = [decoder.format for decoder in decoders.values()]
    if len({(each.rate_hz, each.channels) for each in formats}) > 1:
        raise OutputInvalid("The stems differ in rate or channels: they are of no one mix.")
    return formats[0]


class _TooLoud(Exception):
    """A sample does not fit into the file."""


class _Rounding:
    """Brings the sum to the samples of the file."""

    def __init__(self, encoding: Encoding, lowered_db: float) -> None:
        self._holds_anything = encoding.depth is not None and encoding.depth.is_float
        self._scale = _full_scale(encoding)
        self._gain = decibels(-lowered_db)
        self._is_lowered = lowered_db > 0
        self._high = 0.0
        self._low = 0.0

    @property
    def overshoot_db(self) -> float:
        """How far the largest sample so far is beyond what the file can hold."""
        top = 1.0 if self._scale is None else (self._scale - 1) / self._scale
        return 20.0 * math.log10(max(self._high / top, -self._low, 1.0))

    def measure(self, block: NDArray[np.floating]) -> None:
        """Look at a block."""
        self._high = max(self._high, float(block.max(initial=0)))
        self._low = min(self._low, float(block.min(initial=0)))

    def fit(self, block: NDArray[np.floating]) -> NDArray[np.generic]:
        """The samples to write. Raises _TooLoud."""
        self.measure(block)
        if not self._is_lowered and not self._fits():
            raise _TooLoud
        if self._scale is None:
            return (block * self._gain).astype(np.float32)
        whole = np.rint(block * (self._gain * self._scale))
        return whole.clip(-self._scale, self._scale - 1).astype(np.int32)

    def _fits(self) -> bool:
        if self._holds_anything:
            return True
        if self._scale is None:
            return max(self._high, -self._low) <= 1
        high, low = round(self._high * self._scale), round(self._low * self._scale)
        return -self._scale <= low and high < self._scale


def _full_scale(encoding: Encoding) -> float | None:
    """The integer that is 1.0, None for float samples."""
    if encoding.depth is None or encoding.depth.is_float:
        return None
    return 2.0 ** (encoding.depth.bits - 1)


class _Progress:
    """Tells how much is done of one pass, or of two."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._told = 0.0
        self._before = 0.0
        self._share = 1.0

    def expect_another_pass(self) -> None:
        """This pass is only half of the work."""
        self._share = 0.5

    def begin_again(self) -> None:
        """The second pass begins."""
        self._before = 0.5

    def tell(self, fraction: float) -> None:
        """So much of this pass is done."""
        done = self._before + self._share * fraction
        if done > self._told:
            self._told = done
            self._on_progress(done)
