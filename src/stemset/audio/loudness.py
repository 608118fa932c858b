"""Loudness and peaks of a stem, measured while its samples stream by.

Integrated loudness is measured by FFmpeg's ``ebur128`` filter, the true peak by our own meter:
the filter's costs 2.5 ms for a second of 48 kHz stereo, five times as much as ours.

Source: ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio
level"; EBU R 128.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.error import BlockingIOError as NothingReady
from av.filter import Graph
from numpy.typing import NDArray

from stemset.audio._true_peak import TruePeakMeter

TARGET_LUFS = -23.0
"""Where playback levels aim. Source: EBU R 128."""

_MIN_GAIN_DB = -12.0
_MAX_GAIN_DB = 6.02
_ABSOLUTE_GATE_LUFS = -70.0
_INTEGRATED = "lavfi.r128.I"

# Larger pieces fall out of the processor's cache: 1.1 instead of 0.7 ms for a second of stereo.
_PIECE_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True)
class Loudness:
    """What was measured of a stem.

    Attributes:
        integrated_lufs: Integrated loudness; None if nothing is above the absolute gate of
            −70 LUFS, or if there are less than 0.4 s.
        true_peak: Largest absolute value on and between the samples, linear, 1 is full scale.
        sample_peak: Largest absolute sample.
    """

    integrated_lufs: float | None
    true_peak: float
    sample_peak: float

    @property
    def true_peak_dbtp(self) -> float | None:
        """The true peak in dB relative to full scale; None for silence."""
        return round(20 * math.log10(self.true_peak), 2) if self.true_peak > 0 else None


class LoudnessMeter:
    """Measures one stem; the result does not depend on how it is cut into blocks."""

    def __init__(self, rate_hz: int, channels: tuple[str, ...], layout: str) -> None:
        """Set up the meter.

        Args:
            rate_hz: Sample rate.
            channels: Channel names in order.
            layout: FFmpeg's name of the layout, which decides about the channels' weights: LFE
                is not heard, surround channels count 1.5 dB more.
        """
        self._rate_hz = rate_hz
        self._layout = layout
        # PyAV 18 counts nine planes in a planar frame of eight channels, and fails to fill them.
        self._format = "fltp" if len(channels) < av.AudioLayout("7.1").nb_channels else "flt"
        self._frames = 0
        self._integrated_lufs = _ABSOLUTE_GATE_LUFS
        self._peaks = TruePeakMeter(len(channels))
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            format=self._format,
            sample_rate=rate_hz,
            layout=layout,
            time_base=Fraction(1, rate_hz),
        )
        meter = self._graph.add("ebur128", "metadata=1")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(meter)
        meter.link_to(self._sink)
        self._graph.configure()

    def push(self, block: NDArray[np.floating]) -> None:
        """Take a block of shape ``(channels, frames)``."""
        for start in range(0, block.shape[1], _PIECE_FRAMES):
            piece = block[:, start : start + _PIECE_FRAMES]
            self._peaks.push(piece)
            self._source.push(self._framed(piece))
            self._frames += piece.shape[1]
            self._take_figures()

    def result(self) -> Loudness:
        """End the measurement.

        A last stretch of less than 100 ms completes no gating block, so it counts for the peaks
        and not for the loudness.
        """
        self._peaks.finish()
        heard = self._integrated_lufs > _ABSOLUTE_GATE_LUFS
        return Loudness(
            integrated_lufs=round(self._integrated_lufs, 2) if heard else None,
            true_peak=self._peaks.true_peak,
            sample_peak=self._peaks.sample_peak,
        )

    def _framed(self, piece: NDArray[np.floating]) -> av.AudioFrame:
        samples = piece if self._format == "fltp" else piece.T.reshape(1, -1)
        samples = np.ascontiguousarray(samples, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format=self._format, layout=self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts = self._frames
        return frame

    def _take_figures(self) -> None:
        """Empty the filter, which gives a frame with its figures every 100 ms; the last counts."""
        while True:
            try:
                figures = self._sink.pull().metadata
            except NothingReady:
                return
            self._integrated_lufs = float(figures[_INTEGRATED])


def playback_gains(loudness: Mapping[str, float | None]) -> dict[str, float]:
    """Levels for a player to start with.

    A stem's gain brings it to −23 LUFS, but takes away at most 12 dB; a silent stem's is 0 dB. If
    the largest gain exceeds +6.02 dB, all stems (the silent ones, too) are lowered by what it
    exceeds it by, so that the balance between them is kept; a gain may then be below −12 dB.

    Args:
        loudness: Integrated loudness of each stem in LUFS, None for a silent one.

    Returns:
        Gain of each stem in dB, two decimals.
    """
    gains = {
        name: 0.0 if lufs is None else max(TARGET_LUFS - lufs, _MIN_GAIN_DB)
        for name, lufs in loudness.items()
    }
    excess = max(max(gains.values(), default=0.0) - _MAX_GAIN_DB, 0.0)
    return {name: round(gain - excess, 2) for name, gain in gains.items()}
