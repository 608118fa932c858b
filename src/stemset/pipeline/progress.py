"""How far a run is: frames that went by, turned into a fraction and time left."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from stemset.orders.phase import Phase


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        phase: What it is doing.
        fraction: 0–1 over the whole job.
        eta_s: Time left, None while it is not known.
    """

    phase: Phase
    fraction: float
    eta_s: float | None = None


OnProgress = Callable[[Progress], None]


class Clock:
    """Turns frames into progress and time left; stems that are lowered are written twice."""

    _EVERY_S = 0.25
    _SLOW_START_S = 1.0
    _LOWERING_SHARE = 0.15

    def __init__(self, on_progress: OnProgress, total_frames: int | None) -> None:
        self._on_progress = on_progress
        self._total = total_frames
        self._frames = 0
        self._fraction = 0.0
        self._lowering = False
        self._begun = time.perf_counter()
        self._last = -math.inf  # the first frames are told at once
        on_progress(Progress(Phase.LOADING, 0.0))

    def begin_lowering(self) -> None:
        """The stems are computed, and are written once more."""
        self._lowering = True
        self._frames = 0
        self._begun = time.perf_counter()

    def tick(self, frames: int, *, overshot: bool) -> None:
        """Count frames that went by; ``overshot`` once it is known that stems will be lowered."""
        self._frames += frames
        now = time.perf_counter()
        if not self._total or now - self._last < self._EVERY_S:
            return
        self._last = now
        gone = min(self._frames / self._total, 1.0)
        share = self._LOWERING_SHARE
        if self._lowering:
            done, known = 1 - share * (1 - gone), gone  # it has a pace of its own
        else:
            done = known = gone * (1 - share) if overshot else gone
        self._fraction = max(self._fraction, done)  # an overshoot must not turn it back
        spent = now - self._begun
        left = spent / known - spent if spent > self._SLOW_START_S else None
        self._on_progress(Progress(Phase.SEPARATING, self._fraction, left))

    def end(self) -> None:
        """Everything is computed."""
        self._on_progress(Progress(Phase.ENCODING, 1.0, 0.0))
