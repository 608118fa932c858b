"""Whether something grows: slopes of what was sampled, in the lives of those that it belongs to.

A slope is Theil and Sen's: the median of the slopes of all pairs of values. Pairs are of one life
only, since what is started again begins anew. Neighbouring samples are much alike, so each value is
the median of a block of them. The interval is Sen's, of 95 %.

Source: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, 1968.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import median

BLOCKS = 48
_SIGMAS = 1.96
_LEAST_IN_A_LIFE = 3
_LEAST_PAIRS = 10

Points = Sequence[tuple[float, float]]
"""Seconds, and the value then, in order."""


class Verdict(StrEnum):
    """What a series says of growth beyond its bound."""

    FLAT = "flat"
    GROWS = "GROWS"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Slope:
    """A slope and its interval, in units per hour."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Trend:
    """How a series went.

    Attributes:
        first: Median of the first quarter of the time watched.
        last: Of the last one.
        slope: Per hour, None if no life was long enough.
        hours: The time watched.
        bound: It may grow by so much in the time watched.
    """

    first: float
    last: float
    slope: Slope | None
    hours: float
    bound: float

    @property
    def verdict(self) -> Verdict:
        """It grows if that is sure, it is flat if that is sure."""
        if self.slope is None:
            return Verdict.UNCLEAR
        if self.slope.low * self.hours > self.bound:
            return Verdict.GROWS
        return Verdict.FLAT if self.slope.high * self.hours <= self.bound else Verdict.UNCLEAR


def trend(lives: Sequence[Points], bound: float, warm_up_s: float) -> Trend | None:
    """See how a series went, None if there is nothing to see.

    Args:
        lives: Its samples, for each life of what it belongs to.
        bound: It may grow by so much in the time watched.
        warm_up_s: What belongs to the first seconds of a life is left out.
    """
    warm = [[each for each in life if each[0] - life[0][0] >= warm_up_s] for life in lives if life]
    samples = sorted(each for life in warm for each in life)
    if not samples:
        return None
    begin_s, end_s = samples[0][0], samples[-1][0]
    quarter_s = (end_s - begin_s) / 4
    return Trend(
        first=median(value for at_s, value in samples if at_s <= begin_s + quarter_s),
        last=median(value for at_s, value in samples if at_s >= end_s - quarter_s),
        slope=slope([_blocks(life, begin_s, (end_s - begin_s) / BLOCKS) for life in warm]),
        hours=(end_s - begin_s) / 3600,
        bound=bound,
    )


def slope(lives: Sequence[Points]) -> Slope | None:
    """The slope within lives, None if they are too few or too short to have one."""
    long = [life for life in lives if len(life) >= _LEAST_IN_A_LIFE]
    slopes = sorted(
        3600 * (later - earlier) / (then_s - at_s)
        for life in long
        for (at_s, earlier), (then_s, later) in combinations(life, 2)
    )
    if len(slopes) < _LEAST_PAIRS:
        return None
    spread = sum(len(life) * (len(life) - 1) * (2 * len(life) + 5) / 18 for life in long)
    aside = _SIGMAS * math.sqrt(spread)
    low = max(0, math.floor((len(slopes) - aside) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + aside) / 2))
    return Slope(median(slopes), slopes[low], slopes[high])


def _blocks(life: Points, begin_s: float, length_s: float) -> Points:
    """Medians of stretches of time that are equally long for all lives."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for at_s, value in life:
        number = int((at_s - begin_s) / length_s) if length_s else 0
        blocks.setdefault(number, []).append((at_s, value))
    return [
        (median(at_s for at_s, _ in block), median(value for _, value in block))
        for block in blocks.values()
    ]
