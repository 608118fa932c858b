"""A mix: what of an output is heard, and how; arithmetic only.

Gains and pans are those of the player (Web Audio), so that what is exported is what was heard.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import Samples
from stemset.audio.formats import RecordingFormat
from stemset.errors import InvalidMix

MIN_GAIN_DB: Final = -120.0
MAX_GAIN_DB: Final = 24.0
MIN_SPEED: Final = 0.5
MAX_SPEED: Final = 1.5
MAX_SEMITONES: Final = 6.0

_LEFT_RIGHT = ("FL", "FR")
# What a page and a file's header say of a length differs by a frame of either.
_END_TOLERANCE_S = 0.001


@dataclass(frozen=True, slots=True)
class StemLevel:
    """How one stem is heard.

    Attributes:
        gain_db: Its gain, −120 to 24 dB.
        pan: Where it is, −1 (left) to 1 (right).
    """

    gain_db: float = 0.0
    pan: float = 0.0


@dataclass(frozen=True, slots=True)
class Mix:
    """What is heard.

    Attributes:
        stems: The stems that are heard; one that is left out is silent.
        master_db: Gain of the sum, −120 to 24 dB.
        start_s: Where it begins, in seconds of the recording.
        end_s: Where it ends (the frame there is not in it), None for the recording's end.
        speed: 0.5 to 1.5; the pitch stays.
        semitones: −6 to 6; the speed stays.
    """

    stems: Mapping[str, StemLevel] = field(default_factory=dict[str, StemLevel])
    master_db: float = 0.0
    start_s: float = 0.0
    end_s: float | None = None
    speed: float = 1.0
    semitones: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be. Raises InvalidMix."""
        if not self.stems:
            raise InvalidMix("The mix has no stem; there would be nothing to hear.")
        for name, stem in self.stems.items():
            _check(f"The gain of {name}", stem.gain_db, MIN_GAIN_DB, MAX_GAIN_DB, "dB")
            _check(f"The pan of {name}", stem.pan, -1.0, 1.0)
        _check("The master gain", self.master_db, MIN_GAIN_DB, MAX_GAIN_DB, "dB")
        _check("The speed", self.speed, MIN_SPEED, MAX_SPEED)
        _check("The pitch", self.semitones, -MAX_SEMITONES, MAX_SEMITONES, "semitones")
        _check("The start", self.start_s, 0.0, math.inf, "s")
        if self.end_s is not None:
            _check("The end", self.end_s, 0.0, math.inf, "s")
            if self.end_s <= self.start_s:
                raise InvalidMix(
                    f"The mix ends at {self.end_s:g} s, not after its start at {self.start_s:g} s."
                )

    @property
    def is_panned(self) -> bool:
        """Whether any stem is not in the middle."""
        return any(stem.pan for stem in self.stems.values())

    @property
    def is_stretched(self) -> bool:
        """Whether speed or pitch are not the recording's."""
        return self.speed != 1 or self.semitones != 0

    def check_against(self, stems: Collection[str], duration_s: float) -> None:
        """Refuse a mix of other stems than there are, or beyond their end. Raises InvalidMix."""
        if unknown := sorted(set(self.stems) - set(stems)):
            raise InvalidMix(
                f"There is no stem {unknown[0]!r}; there are {', '.join(sorted(stems))}."
            )
        last_s = self.start_s if self.end_s is None else self.end_s
        beyond = last_s > duration_s + _END_TOLERANCE_S
        if beyond or self.start_s >= duration_s:
            raise InvalidMix(
                f"The mix goes to {last_s:g} s; the recording ends at {duration_s:g} s."
            )

    def as_json(self) -> dict[str, Any]:
        """The mix as JSON values: the same for two mixes that sound the same."""
        return {
            **asdict(self),
            "stems": {name: asdict(self.stems[name]) for name in sorted(self.stems)},
        }


def mix_from_json(values: Mapping[str, Any]) -> Mix:
    """The mix that ``Mix.as_json`` wrote down. Raises InvalidMix."""
    stems = {name: StemLevel(**level) for name, level in values["stems"].items()}
    return Mix(**{**values, "stems": stems})


def mixed_format(stems: RecordingFormat, mix: Mix) -> RecordingFormat:
    """What the sum of stems of a format is made of: mono becomes stereo if anything is panned.

    Raises:
        InvalidMix: There are more than two channels, and something is panned.
    """
    if not mix.is_panned or stems.channels == _LEFT_RIGHT:
        return stems
    if len(stems.channels) > 1:
        raise InvalidMix(f"Stems of {len(stems.channels)} channels ({stems.layout}) have no pan.")
    return replace(stems, channels=_LEFT_RIGHT, layout="stereo")


class Summing:
    """Adds blocks of stems up, each with its gain and pan, and the sum with its own."""

    def __init__(self, mix: Mix, channels: int) -> None:
        """Set up.

        Args:
            mix: The mix.
            channels: Number of channels of the sum.
        """
        master = decibels(mix.master_db)
        self._matrices = {
            name: master * decibels(stem.gain_db) * pan_matrix(stem.pan, channels)
            for name, stem in mix.stems.items()
        }

    def add(self, blocks: Mapping[str, Samples]) -> NDArray[np.float64]:
        """The sum of one block of each stem.

        Args:
            blocks: Shape ``(channels, frames)`` each; one channel is taken for all that there are.

        Returns:
            Shape ``(channels, frames)``. In ``float64``, since the sum of 24-bit samples must lose
            nothing.
        """
        total: NDArray[np.float64] | None = None
        for name, block in blocks.items():
            heard = _applied(self._matrices[name], block)
            total = heard if total is None else total + heard
        if total is None:
            raise InvalidMix("The mix has no stem.")
        return total


def pan_matrix(pan: float, channels: int) -> NDArray[np.float64]:
    """What becomes of each channel, shape ``(channels, channels)``: output × input.

    The equal-power law of Web Audio's ``StereoPannerNode`` for stereo: in the middle nothing
    changes; to the left, the right channel wanders over to the left one. A mono stem is panned as
    stereo with two equal channels, so that it is as loud in the middle as without pan.

    Source: Web Audio API 1.1, 1.31 (StereoPannerNode), "stereo panning".
    """
    matrix = np.eye(channels)
    if pan:
        angle = (abs(pan)) * math.pi / 2
        near, far = (0, 1) if pan < 0 else (1, 0)
        matrix[far, far] = math.cos(angle)
        matrix[near, far] = math.sin(angle)
    return matrix


def decibels(gain_db: float) -> float:
    """A gain as a factor."""
    return 10.0 ** (gain_db / 20.0)


def _applied(matrix: NDArray[np.float64], block: Samples) -> NDArray[np.float64]:
    wide = np.broadcast_to(block.astype(np.float64), (len(matrix), block.shape[1]))
    diagonal = matrix.diagonal()
    heard = wide * diagonal[:, np.newaxis]
    for output, source in np.argwhere(matrix - np.diag(diagonal)):
        heard[output] += matrix[output, source] * wide[source]
    return heard


def _check(what: str, value: float, least: float, most: float, unit: str = "") -> None:
    if not least <= value <= most or math.isinf(value):  # NaN is in no range
        bounds = f"{least:g} to {most:g}" if math.isfinite(most) else f"{least:g} or more"
        raise InvalidMix(f"{what} is {value:g}; it can be {bounds} {unit}".rstrip() + ".")
