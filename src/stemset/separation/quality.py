"""What went wrong with stems, as far as it shows without knowing the right ones.

Measured while the stems stream by, in memory that does not grow.

- Clipped: several samples in a row at or beyond full scale, of the recording or of a stem.
- Leaking: for whole seconds a stem is little more than a fainter copy of another one.
- Seams: clicks just where a network's chunks meet. Music has its own, but not always there.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemset.separation.network import Network

Samples = NDArray[np.float32]

_FULL_SCALE = 1 - 2**-15  # the largest positive sample of 16 bits
_CLIPPED_RUN = 3

_WINDOW_S = 1.0
_AUDIBLE_RMS = 10 ** (-60 / 20)
_COPY_CORRELATION = 0.95
_LEAK_GAIN = 10 ** (-26 / 20)
_LEAK_WINDOWS = 3
_LEAK_SHARE = 0.1

_NEIGHBOURHOOD_S = 0.05
_BORDER_S = 0.001
_CLICK_RATIO = 4
_AUDIBLE_CLICK = 1e-3
_SEAMS = 2


@dataclass(frozen=True, slots=True)
class Border:
    """Where chunks of a network begin or end, every so often.

    Attributes:
        first_s: The first place.
        every_s: From one place to the next.
    """

    first_s: float
    every_s: float


@dataclass(frozen=True, slots=True)
class Leak:
    """A stem that is heard in another one.

    Attributes:
        source: The stem that is heard.
        target: Where it is heard.
        gain_db: How loud, relative to itself, in the middle of the places.
        seconds: For how long.
    """

    source: str
    target: str
    gain_db: float
    seconds: float


def borders_of(networks: Iterable[Network]) -> tuple[Border, ...]:
    """Where chunks begin and where their overlap with the one before ends."""
    found: list[Border] = []
    for network in networks:
        hop_s = (network.chunk_frames - network.overlap_frames) / network.rate_hz
        begin_s = hop_s - network.lead_frames / network.rate_hz
        found.append(Border(begin_s, hop_s))
        found.append(Border(begin_s + network.overlap_frames / network.rate_hz, hop_s))
    return tuple(found)


class ClippingMeter:
    """Counts places at which several samples in a row are at full scale."""

    def __init__(self, full_scale: float = 1.0) -> None:
        """Begin with nothing seen.

        Args:
            full_scale: What the samples' largest magnitude is.
        """
        self.places = 0
        self._top = full_scale * _FULL_SCALE
        self._before: NDArray[np.bool_] | None = None

    def push(self, block: NDArray[np.floating | np.signedinteger]) -> None:
        """Take a block, ``(channels, frames)``."""
        kept = _CLIPPED_RUN
        high = max(float(block.max(initial=0)), -float(block.min(initial=0)))
        if high < self._top and (self._before is None or not self._before.any()):
            self._before = None  # the quick way of nearly every block
            return
        at_top = (block >= self._top) | (block <= -self._top)
        before = self._before if self._before is not None else np.zeros((len(block), kept), bool)
        seen = np.concatenate((before, at_top), axis=1)
        runs = seen[:, 2:] & seen[:, 1:-1] & seen[:, :-2]
        self.places += int((runs[:, 1:] & ~runs[:, :-1]).sum())
        self._before = seen[:, -kept:]


class QualityMeter:
    """Looks at all stems of a recording together."""

    def __init__(
        self,
        names: Sequence[str],
        rate_hz: int,
        borders: Sequence[Border],
        *,
        full_scale: float = 1.0,
    ) -> None:
        """Begin with nothing seen.

        Args:
            names: Names of the stems.
            rate_hz: Their rate.
            borders: Where chunks meet.
            full_scale: What the samples' largest magnitude is.
        """
        self._names = tuple(names)
        self._scale = np.float32(1 / full_scale)
        self._clipping = {name: ClippingMeter(full_scale) for name in names}
        self._leaks = _LeakMeter(len(names), round(_WINDOW_S * rate_hz))
        self._seams = _SeamMeter(len(names), rate_hz, borders)

    def push(self, stems: Mapping[str, NDArray[np.floating | np.signedinteger]]) -> None:
        """Take the next frames of every stem, ``(channels, frames)``."""
        mono = np.empty((len(self._names), next(iter(stems.values())).shape[-1]), np.float32)
        for row, name in zip(mono, self._names, strict=True):
            block = stems[name]
            np.mean(block, axis=0, dtype=np.float32, out=row)
            self._clipping[name].push(block)
        mono *= self._scale
        self._leaks.push(mono)
        self._seams.push(mono)

    def warnings(self) -> Iterator[str]:
        """What there is to say, for people."""
        for name in self._names:
            if places := self._clipping[name].places:
                where = in_places(places)
                yield f"The stem {name} sounds clipped: it stays at full scale in {where}."
        for leak in self.leaks():
            yield (
                f"The stem {leak.source} is heard in {leak.target} as well, at "
                f"{leak.gain_db:.0f} dB, for {leak.seconds:.0f} s."
            )
        for name, clicks in zip(self._names, self._seams.clicks, strict=True):
            if clicks >= _SEAMS:
                yield f"The stem {name} has clicks where chunks meet, in {in_places(clicks)}."

    def leaks(self) -> Iterator[Leak]:
        """Which stems are heard in which others."""
        for (source, target), gains in self._leaks.found():
            gain_db = 20 * math.log10(float(np.median(gains)))
            yield Leak(self._names[source], self._names[target], gain_db, len(gains) * _WINDOW_S)


def in_places(count: int) -> str:
    """``1 place``, ``12 places``."""
    return f"{count:,} place{'s' if count > 1 else ''}"


class _LeakMeter:
    """Correlates stems with each other, a second at a time."""

    def __init__(self, stems: int, window_frames: int) -> None:
        self._window_frames = window_frames
        self._products = np.zeros((stems, stems))
        self._frames = 0
        self._audible = np.zeros(stems, int)
        self._gains: dict[tuple[int, int], list[float]] = {}

    def push(self, mono: Samples) -> None:
        while mono.shape[-1]:
            part = mono[:, : self._window_frames - self._frames]
            mono = mono[:, part.shape[-1] :]
            # Not BLAS: its threads would wait for work beside those of the network.
            self._products += np.einsum("if,jf->ij", part, part)
            self._frames += part.shape[-1]
            if self._frames == self._window_frames:
                self._judge()

    def found(self) -> Iterator[tuple[tuple[int, int], list[float]]]:
        """Pairs (source, target), and how loud the source was there each time."""
        for (source, target), gains in self._gains.items():
            often = len(gains) >= _LEAK_SHARE * self._audible[source]
            if len(gains) >= _LEAK_WINDOWS and often:
                yield (source, target), gains

    def _judge(self) -> None:
        energy = self._products.diagonal()
        audible = energy > self._frames * _AUDIBLE_RMS**2
        self._audible += audible
        for source, target in np.argwhere(np.outer(audible, audible)):
            if energy[source] <= energy[target] or source == target:
                continue
            product = abs(self._products[source, target])
            gain = product / energy[source]
            if product**2 > _COPY_CORRELATION**2 * energy[source] * energy[target] and (
                gain > _LEAK_GAIN
            ):
                self._gains.setdefault((int(source), int(target)), []).append(float(gain))
        self._products[:] = 0
        self._frames = 0


class _SeamMeter:
    """Listens for clicks at the places where chunks meet."""

    def __init__(self, stems: int, rate_hz: int, borders: Sequence[Border]) -> None:
        self.clicks = [0] * stems
        self._rate_hz = rate_hz
        self._around = round(_NEIGHBOURHOOD_S * rate_hz)
        self._near = round(_BORDER_S * rate_hz)
        self._borders = borders
        self._next = [0] * len(borders)
        self._kept = np.zeros((stems, 0), np.float32)
        self._start = 0  # frame that the first kept sample is

    def push(self, mono: Samples) -> None:
        seen = np.concatenate((self._kept, mono), axis=-1)
        end = self._start + seen.shape[-1]
        for place in self._due(end - self._around):
            first = place - self._around - self._start
            if first >= 0:
                self._listen(seen[:, first : first + 2 * self._around])
        self._kept = seen[:, -2 * self._around :].copy()
        self._start = end - self._kept.shape[-1]

    def _due(self, until: int) -> Iterator[int]:
        """The places before a frame that were not listened to yet."""
        for index, border in enumerate(self._borders):
            while (place := self._place(border, self._next[index])) < until:
                self._next[index] += 1
                yield place

    def _place(self, border: Border, number: int) -> int:
        return round((border.first_s + number * border.every_s) * self._rate_hz)

    def _listen(self, samples: Samples) -> None:
        bends = np.abs(np.diff(samples, 2, axis=-1))
        middle = slice(self._around - 1 - self._near, self._around - 1 + self._near)
        here = bends[:, middle].max(axis=-1)
        bends[:, middle] = 0
        elsewhere = bends.max(axis=-1)
        for stem in np.flatnonzero((here > _CLICK_RATIO * elsewhere) & (here > _AUDIBLE_CLICK)):
            self.clicks[stem] += 1
