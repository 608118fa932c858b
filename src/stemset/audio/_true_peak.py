"""The true peak of a stream: the largest value that a converter or a resampler will make of it.

The signal is interpolated eight-fold by a windowed sinc of 16 taps. Against exact interpolation,
passages of a loud song came out at most 0.01 dB wrong and steady tones below 0.45 of the rate
0.11 dB. The filter that BS.1770 prints as an example (four-fold, 12 taps) was 0.11 and 0.3 dB off.

Almost nothing needs interpolating, because between two neighbours the signal cannot leave the
straight line that joins them by more than a constant times the largest step in the filter's
reach. Stretches whose bound stays below the peak found so far are skipped, so the result is the
one that interpolating everything would give.

Source: ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio
level", annex 2.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_TAPS = 16
_PHASES = 8
_KAISER_BETA = 5.0

# Frames that are examined together, and if need be in shorter stretches, and then interpolated.
# Of a loud song 6 % of the long stretches were. Any other lengths give the same result.
_STRETCHES = (256, 32)

# The bound is computed in single precision: 1e-6 is more than its rounding.
_ROUNDING = 1 + 1e-6


class TruePeakMeter:
    """Measures one stream; the result does not depend on how it is cut into blocks.

    Attributes:
        sample_peak: Largest absolute sample so far, linear, 1 is full scale.
        true_peak: Largest absolute value so far, on and between the samples.
    """

    def __init__(self, channels: int) -> None:
        self.sample_peak = 0.0
        self.true_peak = 0.0
        self._pending = np.zeros((channels, _TAPS - 1), np.float32)

    def push(self, block: NDArray[np.floating]) -> None:
        """Take a block of shape ``(channels, frames)``."""
        signal = np.concatenate((self._pending, block), axis=1, dtype=np.float32)
        whole = (signal.shape[1] - _TAPS + 1) // _STRETCHES[0] * _STRETCHES[0]
        self._pending = signal[:, whole:].copy()
        if whole:
            self._search(signal[:, : whole + _TAPS - 1])

    def finish(self) -> None:
        """Let the filter run out: silence follows the last frame."""
        self.push(np.zeros((len(self._pending), _STRETCHES[0] + _TAPS - 1), np.float32))

    def _search(self, signal: NDArray[np.float32]) -> None:
        """Interpolate what could hold a new peak in ``(channels, n × stretch + taps - 1)``."""
        for stretch in _STRETCHES:
            # (…, stretches, stretch + taps - 1)
            reach = sliding_window_view(signal, stretch + _TAPS - 1, axis=-1)[:, ::stretch]
            level = np.abs(reach).max(axis=-1)
            step = np.abs(np.diff(reach)).max(axis=-1)
            self.sample_peak = max(self.sample_peak, float(level.max()))
            self.true_peak = max(self.true_peak, self.sample_peak)
            signal = reach[(level + _LARGEST_RISE * step) * _ROUNDING > self.true_peak]
            if not len(signal):
                return
        self.true_peak = max(self.true_peak, float(np.abs(_interpolated(signal)).max()))


def _interpolated(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn ``(n, frames + taps - 1)`` into ``(phases - 1, n, frames)``, the values in between.

    A sum in a fixed order: a matrix product rounds differently from one shape to the next.
    """
    frames = signal.shape[1] - _TAPS + 1
    total = np.zeros((_PHASES - 1, len(signal), frames), np.float32)
    for tap in range(_TAPS):
        total += _INTERPOLATOR[:, tap, np.newaxis, np.newaxis] * signal[:, tap : tap + frames]
    return total


def _interpolator() -> NDArray[np.float64]:
    """Design the filter, ``(phases - 1, taps)``; the phase that gives the samples is left out."""
    position = np.arange(_TAPS * _PHASES) - _TAPS * _PHASES // 2
    window = np.kaiser(_TAPS * _PHASES + 1, _KAISER_BETA)[:-1]
    phases = (np.sinc(position / _PHASES) * window).reshape(_TAPS, _PHASES).T[1:]
    return phases / phases.sum(axis=1, keepdims=True)


def _largest_rise(phases: NDArray[np.float64]) -> float:
    """How far a phase can rise above a straight line, in largest steps of the signal.

    What a phase adds to the line weighs the samples with coefficients of sum 0, and so
    (summation by parts) the steps between them with the coefficients' running sums.
    """
    later = np.arange(1, _PHASES) / _PHASES
    line = np.zeros_like(phases)
    line[:, _TAPS // 2 - 1], line[:, _TAPS // 2] = later, 1 - later
    return float(np.abs(np.cumsum(phases - line, axis=1)).sum(axis=1).max())


_LARGEST_RISE = _largest_rise(_interpolator())
_INTERPOLATOR = _interpolator().astype(np.float32)
