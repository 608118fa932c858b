"""Speed and pitch of a stream: lengths, frequencies, levels, time, memory."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from peak_memory import PEAK_MB

from stemset.audio._stretch import Stretch

RATE_HZ = 48_000

MEMORY = (
    PEAK_MB
    + """
import numpy as np
from stemset.audio._stretch import Stretch

stretch = Stretch(48_000, 2, 0.5, 3.0)
block = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 65_536)).astype(np.float32)
for _ in range(3):
    stretch.push(block)
before = peak_mb()
for _ in range(25):
    stretch.push(block)
print(peak_mb() - before)
"""
)


def sine(frequency: float, seconds: float, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * frequency * times)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def stretched(
    samples: NDArray[np.float32],
    speed: float,
    semitones: float,
    *,
    rate_hz: int = RATE_HZ,
    block: int = 65_536,
) -> NDArray[np.float32]:
    stretch = Stretch(rate_hz, len(samples), speed, semitones)
    starts = range(0, samples.shape[1], block)
    made = [stretch.push(samples[:, start : start + block]) for start in starts]
    return np.concatenate([*made, stretch.finish()], axis=1)


def frequency_of(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(np.argmax(spectrum))
    below, at, above = np.log(spectrum[peak - 1 : peak + 2])
    return (peak + (below - above) / (2 * (below - 2 * at + above))) * rate_hz / len(samples)


@pytest.mark.parametrize(
    ("frequency", "speed", "semitones"),
    [
        (110.0, 1, 6),
        (110.0, 0.8, 3),
        (440.0, 0.5, 0),
        (440.0, 0.75, 0),
        (440.0, 1.5, 0),
        (440.0, 1, 2),
        (440.0, 1, -6),
        (440.0, 0.5, 6),
        (440.0, 1.5, -6),
    ],
)
def test_tone_has_its_length_pitch_and_level(frequency: float, speed: float, semitones: float):
    given = sine(frequency, 6)

    made = stretched(given, speed, semitones)

    assert made.shape == (2, round(given.shape[1] / speed))
    steady = made[:, RATE_HZ:-RATE_HZ]
    wanted = frequency * 2 ** (semitones / 12)
    assert abs(1200 * np.log2(frequency_of(steady[0]) / wanted)) < 0.5
    assert np.sqrt(np.mean(steady[0] ** 2) / 0.125) == pytest.approx(1, abs=0.05)
    assert steady[1] == pytest.approx(0.5 * steady[0], abs=1e-3)  # in phase


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 96_000])
def test_tone_at_another_rate_is_shifted_as_well(rate_hz: int):
    made = stretched(sine(440, 4, rate_hz), 0.75, 2, rate_hz=rate_hz)

    steady = made[0, rate_hz:-rate_hz]
    assert frequency_of(steady, rate_hz) == pytest.approx(440 * 2 ** (2 / 12), rel=3e-4)


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.25])
def test_clicks_are_where_they_belong(speed: float):
    given = np.zeros((1, 6 * RATE_HZ), np.float32)
    for second in range(1, 6):
        given[0, second * RATE_HZ] = 0.9

    made = np.abs(stretched(given, speed, 0)[0])

    for second in range(1, 6):
        middle = round(second * RATE_HZ / speed)
        around = made[middle - 4800 : middle + 4800]
        assert abs(int(np.argmax(around)) - 4800) < 0.003 * RATE_HZ


def test_blocks_of_any_length_give_the_same_samples():
    given = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 100_000)).astype(np.float32)

    whole = stretched(given, 0.8, 1.5)

    assert np.array_equal(whole, stretched(given, 0.8, 1.5, block=777))
    assert np.array_equal(whole, stretched(given, 0.8, 1.5))  # and so does another run


@pytest.mark.parametrize("frames", [0, 1, 100, 2880, 2881, 5000])
def test_stream_shorter_than_a_block_has_its_length(frames: int):
    made = stretched(np.full((2, frames), 0.1, np.float32), 0.75, 3)

    assert made.shape == (2, round(frames / 0.75))
    assert np.isfinite(made).all()


def test_silence_stays_silence():
    assert not stretched(np.zeros((2, 2 * RATE_HZ), np.float32), 0.6, -4).any()


@pytest.mark.parametrize("channels", [1, 6])
def test_any_number_of_channels_is_stretched(channels: int):
    given = np.repeat(sine(440, 2)[:1], channels, axis=0)

    made = stretched(given, 0.75, 0)

    assert made.shape == (channels, round(given.shape[1] / 0.75))
    assert made[-1] == pytest.approx(made[0], abs=1e-3)


def test_memory_does_not_grow():
    ended = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=120
    )

    assert int(ended.stdout) < 10
