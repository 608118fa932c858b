import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemset.audio.loudness import Loudness, LoudnessMeter, playback_gains

STEREO = ("FL", "FR")


def tone(
    seconds: float, dbfs: float, *, hz: float = 1000, rate_hz: int = 48_000, phase: float = 0
) -> NDArray[np.float32]:
    """A stereo sine, shape ``(2, frames)``."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + phase)
    return np.stack([wave, wave]).astype(np.float32)


def measure(
    signal: NDArray[np.float32],
    rate_hz: int = 48_000,
    channels: tuple[str, ...] = STEREO,
    layout: str = "stereo",
    cuts: tuple[int, ...] = (),
) -> Loudness:
    meter = LoudnessMeter(rate_hz, channels, layout)
    for block in np.split(signal, cuts, axis=1):
        meter.push(block)
    return meter.result()


# EBU Tech 3341, table 1: the sines and gating cases, made from their description.
@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        (((20, -23),), -23),
        (((20, -33),), -33),
        (((10, -36), (60, -23), (10, -36)), -23),
        (((10, -72), (10, -36), (60, -23), (10, -36), (10, -72)), -23),
        (((20, -26), (20.1, -20), (20, -26)), -23),
    ],
)
def test_loudness_of_the_ebu_signals_is_within_a_tenth(
    parts: tuple[tuple[float, float], ...], lufs: float
) -> None:
    signal = np.concatenate([tone(seconds, dbfs) for seconds, dbfs in parts], axis=1)

    assert measure(signal).integrated_lufs == pytest.approx(lufs, abs=0.1)


def test_loudness_of_surround_weighs_the_channels() -> None:
    """EBU Tech 3341, case 6: -28 dBFS in front, -24 in the centre, -30 at the back."""
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")
    levels = (-28, -28, -24, -math.inf, -30, -30)
    signal = np.concatenate([tone(20, level)[:1] for level in levels])

    heard = measure(signal, channels=names, layout="5.1")

    assert heard.integrated_lufs == pytest.approx(-23, abs=0.1)


# EBU Tech 3341, cases 15 to 19: sines whose peaks lie between the samples.
@pytest.mark.parametrize(
    ("divisor", "phase_degrees", "amplitude", "dbtp"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
)
def test_true_peak_of_the_ebu_signals_is_within_their_tolerance(
    divisor: int, phase_degrees: float, amplitude: float, dbtp: float
) -> None:
    phase = math.radians(phase_degrees)
    signal = tone(1, 20 * math.log10(amplitude), hz=48_000 / divisor, phase=phase)
    ramp = np.minimum(np.linspace(0, 20, signal.shape[1]), 1)
    fading = (signal * ramp * ramp[::-1]).astype(np.float32)

    heard = measure(fading).true_peak_dbtp

    assert heard is not None
    assert dbtp - 0.4 <= heard <= dbtp + 0.2


@given(cuts=st.lists(st.integers(0, 30_000), max_size=6), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=25)
def test_result_does_not_depend_on_how_the_stem_is_cut(cuts: list[int], seed: int) -> None:
    signal = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 30_000)).astype(np.float32)

    assert measure(signal, cuts=tuple(sorted(cuts))) == measure(signal)


def test_true_peak_is_that_of_interpolating_everywhere() -> None:
    """The search leaves most of a signal out; what it finds must be the largest all the same."""
    rng = np.random.default_rng(3)
    loud = rng.standard_normal((2, 100_000)) * np.abs(np.sin(np.arange(100_000) / 9_000)) * 0.2
    signal = loud.astype(np.float32)
    meter = LoudnessMeter(48_000, STEREO, "stereo")

    from stemset.audio.loudness import _PHASES  # noqa: PLC0415 - the filter of the standard

    expected = max(
        float(np.abs(np.convolve(channel, phase[::-1])).max())
        for channel in signal
        for phase in _PHASES.T
    )
    meter.push(signal)
    assert meter.result().true_peak == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("frames", [1, 100, 19_000])
def test_stem_shorter_than_a_measuring_block_has_no_loudness(frames: int) -> None:
    heard = measure(tone(1, -6)[:, :frames])

    assert heard.integrated_lufs is None
    assert heard.true_peak >= heard.sample_peak


def test_silence_has_no_loudness_and_no_peak() -> None:
    heard = measure(np.zeros((2, 100_000), np.float32))

    assert heard == Loudness(None, 0.0, 0.0)
    assert heard.true_peak_dbtp is None


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000, 192_000])
def test_loudness_does_not_depend_on_the_rate(rate_hz: int) -> None:
    heard = measure(tone(5, -20, rate_hz=rate_hz), rate_hz)

    assert heard.integrated_lufs == pytest.approx(-20, abs=0.15)


@pytest.mark.parametrize(
    ("lufs", "gains"),
    [
        ({"a": -20.0, "b": -26.0}, {"a": -3.0, "b": 3.0}),
        ({"a": -5.0, "b": -23.0}, {"a": -12.0, "b": 0.0}),
        ({"a": -23.0, "b": -40.0}, {"a": -10.98, "b": 6.02}),
        ({"a": None, "b": -33.0}, {"a": -3.98, "b": 6.02}),
        ({"a": None}, {"a": 0.0}),
        ({}, {}),
    ],
)
def test_playback_gains_keep_the_balance(
    lufs: dict[str, float | None], gains: dict[str, float]
) -> None:
    assert playback_gains(lufs) == pytest.approx(gains)
