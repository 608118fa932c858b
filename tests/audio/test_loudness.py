import math
from fractions import Fraction

import av
import numpy as np
import psutil
import pytest
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemset.audio import _true_peak
from stemset.audio.loudness import Loudness, LoudnessMeter, playback_gains

STEREO = ("FL", "FR")


def tone(
    seconds: float, dbfs: float, *, hz: float = 1000, rate_hz: int = 48_000, phase: float = 0
) -> NDArray[np.float32]:
    """A stereo sine, shape ``(2, frames)``."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + phase)
    return np.stack([wave, wave]).astype(np.float32)


def faded(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """The signal without the edges that make a filter ring."""
    ramp = np.minimum(np.linspace(0, 20, signal.shape[1]), 1)
    return (signal * ramp * ramp[::-1]).astype(np.float32)


def measure(
    signal: NDArray[np.floating],
    rate_hz: int = 48_000,
    layout: str = "stereo",
    cuts: tuple[int, ...] = (),
) -> Loudness:
    channels = tuple(channel.name for channel in av.AudioLayout(layout).channels)
    meter = LoudnessMeter(rate_hz, channels, layout)
    for block in np.split(signal, cuts, axis=1):
        meter.push(block)
    return meter.result()


def filtered_true_peak(signal: NDArray[np.float32], rate_hz: int) -> float:
    """The true peak that FFmpeg's own meter finds, in dBTP."""
    graph = Graph()
    source = graph.add_abuffer(
        format="fltp", sample_rate=rate_hz, layout="stereo", time_base=Fraction(1, rate_hz)
    )
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    silence = np.zeros((2, rate_hz // 5), np.float32)
    frame = av.AudioFrame.from_ndarray(np.concatenate([signal, silence], 1), "fltp", "stereo")
    frame.sample_rate, frame.pts = rate_hz, 0
    source.push(frame)
    figures = {}
    while True:
        try:
            figures = sink.pull().metadata
        except BlockingIOError:
            return 20 * math.log10(float(figures["lavfi.r128.true_peak"]))


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


def test_loudness_of_the_ebu_surround_signal_is_within_a_tenth() -> None:
    """EBU Tech 3341, case 6: -28 dBFS in front, -24 in the centre, -30 at the back."""
    levels = (-28, -28, -24, -math.inf, -30, -30)
    signal = np.concatenate([tone(20, level)[:1] for level in levels])

    assert measure(signal, layout="5.1").integrated_lufs == pytest.approx(-23, abs=0.1)


# A 1 kHz sine of 0 dBFS in one channel has -3.01 LUFS.
@pytest.mark.parametrize(
    ("layout", "sounding", "lufs"),
    [
        ("mono", "FC", -23.0),
        ("stereo", "FL", -23.0),
        ("5.1", "BL", -21.5),
        ("5.1(side)", "SR", -21.5),
        ("7.1", "FR", -23.0),
        ("7.1", "SL", -21.5),
        ("8 channels", "NONE", -23.0),
    ],
)
def test_loudness_of_one_channel_has_its_weight(layout: str, sounding: str, lufs: float) -> None:
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    signal = np.zeros((len(names), 96_000), np.float32)
    signal[names.index(sounding)] = tone(2, -20)[0]

    assert measure(signal, layout=layout).integrated_lufs == pytest.approx(lufs, abs=0.1)


def test_loudness_of_lfe_is_none_and_its_peak_counts() -> None:
    signal = np.zeros((6, 96_000), np.float32)
    signal[3] = tone(2, -6, hz=60)[0]

    heard = measure(signal, layout="5.1")

    assert heard.integrated_lufs is None
    assert heard.sample_peak == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "rate_hz", [8_000, 11_025, 16_000, 22_050, 37_123, 44_100, 88_200, 96_000, 176_400, 192_000]
)
def test_loudness_does_not_depend_on_the_rate(rate_hz: int) -> None:
    heard = measure(tone(3.05, -20, rate_hz=rate_hz), rate_hz)

    assert heard.integrated_lufs == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("frames", [0, 1, 100, 19_199])
def test_stem_shorter_than_a_gating_block_has_no_loudness(frames: int) -> None:
    heard = measure(tone(1, -6)[:, :frames])

    assert heard.integrated_lufs is None
    assert heard.true_peak >= heard.sample_peak


def test_stem_of_exactly_a_gating_block_has_a_loudness() -> None:
    assert measure(tone(0.4, -6)).integrated_lufs == pytest.approx(-6, abs=0.2)


def test_stem_below_the_absolute_gate_has_no_loudness_and_a_peak() -> None:
    heard = measure(tone(2, -75))

    assert heard.integrated_lufs is None
    assert heard.true_peak_dbtp == pytest.approx(-75, abs=0.05)


def test_silence_has_no_loudness_and_no_peak() -> None:
    heard = measure(np.zeros((2, 100_000), np.float32))

    assert heard == Loudness(None, 0.0, 0.0)
    assert heard.true_peak_dbtp is None


def test_single_sample_is_its_peak() -> None:
    assert measure(np.full((1, 1), -0.5), layout="mono") == Loudness(None, 0.5, 0.5)


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

    heard = measure(faded(signal)).true_peak_dbtp

    assert heard is not None
    assert dbtp - 0.4 <= heard <= dbtp + 0.2


@pytest.mark.parametrize("later", np.arange(0, 1, 0.125))
def test_true_peak_of_a_pulse_between_two_samples_is_found(later: float) -> None:
    time = np.arange(-100, 100) - later
    pulse = np.sinc(time / 2) * np.hanning(200)

    heard = measure(np.stack([pulse, -0.1 * pulse])).true_peak_dbtp

    assert heard == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("share_of_rate", [0.02, 0.1, 0.125, 0.2, 0.25, 0.3, 0.4, 0.45])
@pytest.mark.parametrize("degrees", [0, 30, 45, 60])
def test_true_peak_of_a_steady_tone_is_found(share_of_rate: float, degrees: float) -> None:
    signal = tone(0.5, -3, hz=48_000 * share_of_rate, phase=math.radians(degrees))

    assert measure(faded(signal)).true_peak_dbtp == pytest.approx(-3, abs=0.12)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_true_peak_of_music_is_that_of_ffmpeg(song: NDArray[np.float32], rate_hz: int) -> None:
    """The same samples at other rates are music at other speeds."""
    expected = filtered_true_peak(song, rate_hz)

    assert measure(song, rate_hz).true_peak_dbtp == pytest.approx(expected, abs=0.1)


def of_every_kind(kind: str, seed: int) -> NDArray[np.float32]:
    """Signals that are easy and hard to bound, ``(2, 20000)``."""
    rng = np.random.default_rng(seed)
    time = np.arange(20_000)
    return {
        "noise": rng.uniform(-0.5, 0.5, (2, 20_000)),
        "bursts": rng.standard_normal((2, 20_000)) * np.sin(time / (700 + 90 * seed)) ** 8,
        "tones": np.sin(np.outer(rng.uniform(0.05, 3.1, 2), time)),
        "clicks": (rng.random((2, 20_000)) < 0.001) * rng.uniform(-1, 1, (2, 20_000)),
        "square": np.sign(np.sin(np.outer(rng.uniform(0.01, 1, 2), time))),
    }[kind].astype(np.float32)


KINDS = ("noise", "bursts", "tones", "clicks", "square")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_true_peak_is_that_of_interpolating_everywhere(kind: str, seed: int) -> None:
    """The search leaves most of a signal out; what it finds is the largest all the same."""
    signal = of_every_kind(kind, seed)
    around = np.pad(signal, ((0, 0), (20, 20)))
    everywhere = max(np.abs(signal).max(), np.abs(_true_peak._interpolated(around)).max())

    assert measure(signal).true_peak == everywhere


@given(
    cuts=st.lists(st.integers(0, 20_000), max_size=8),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=50)
def test_result_does_not_depend_on_how_the_stem_is_cut(
    cuts: list[int], kind: str, seed: int
) -> None:
    signal = of_every_kind(kind, seed)

    assert measure(signal, 8_000, cuts=tuple(sorted(cuts))) == measure(signal, 8_000)


@pytest.mark.parametrize("cut", [255, 256, 290])
@pytest.mark.parametrize("crest", range(240, 280))
def test_true_peak_across_two_blocks_is_that_of_one(crest: int, cut: int) -> None:
    """The search keeps what it has not yet examined; nothing may get lost or be added there."""
    pulse = np.sinc((np.arange(600) - crest - 0.5) / 2)[np.newaxis]

    heard = measure(pulse, layout="mono", cuts=(cut,))

    assert heard == measure(pulse, layout="mono")
    assert heard.true_peak == pytest.approx(1, abs=0.01)


def test_true_peak_of_a_crest_at_the_end_of_a_block_does_not_ring() -> None:
    signal = faded(tone(1, -1, hz=50))

    heard = measure(signal, cuts=(24_240,))

    assert heard.true_peak_dbtp == pytest.approx(-1, abs=0.02)


def test_result_does_not_depend_on_how_a_block_lies_in_memory() -> None:
    signal = of_every_kind("noise", 0)
    widened = np.repeat(signal.astype(np.float64), 2, axis=1)[:, ::2]

    assert measure(np.asfortranarray(signal)) == measure(widened) == measure(signal)


def test_meter_beyond_two_to_the_31_frames_goes_on() -> None:
    meter = LoudnessMeter(48_000, STEREO, "stereo")
    meter._frames = 2**33

    meter.push(tone(2, -20))

    assert meter.result().integrated_lufs == pytest.approx(-20, abs=0.1)


def test_meter_memory_does_not_grow_with_the_length() -> None:
    meter = LoudnessMeter(8_000, ("FC",), "mono")
    minute = tone(60, -20, rate_hz=8_000)[:1]
    meter.push(minute)
    before = psutil.Process().memory_info().rss

    for _ in range(20):
        meter.push(minute)

    # Kept as the filter gives them, the samples would fill 77 MB.
    assert psutil.Process().memory_info().rss - before < 20e6


@pytest.mark.parametrize(
    ("lufs", "gains"),
    [
        ({"a": -20.0, "b": -26.0}, {"a": -3.0, "b": 3.0}),
        ({"a": -5.0, "b": -23.0}, {"a": -12.0, "b": 0.0}),
        ({"a": -23.0, "b": -40.0}, {"a": -10.98, "b": 6.02}),
        ({"a": -5.0, "b": -30.0}, {"a": -12.98, "b": 6.02}),
        ({"a": None, "b": -33.0}, {"a": -3.98, "b": 6.02}),
        ({"a": None, "b": -20.0}, {"a": 0.0, "b": -3.0}),
        ({"a": None}, {"a": 0.0}),
        ({}, {}),
    ],
)
def test_playback_gains_keep_the_balance(
    lufs: dict[str, float | None], gains: dict[str, float]
) -> None:
    assert playback_gains(lufs) == pytest.approx(gains)
