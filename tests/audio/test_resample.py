"""The resampler is exact in time and length, and does not care how a stream is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemset.audio.resample import Resampler, resampled_frames

RATES = [8_000, 11_025, 22_050, 37_800, 44_100, 48_000, 88_200, 96_000, 192_000]


def resample(samples, in_rate_hz, out_rate_hz, cuts=()):
    resampler = Resampler(in_rate_hz, out_rate_hz, len(samples))
    blocks = [resampler.push(block) for block in np.split(samples, sorted(cuts), axis=1)]
    return np.concatenate([*blocks, resampler.finish()], axis=1)


def tone(frequency_hz, rate_hz, frames, peak=0.5):
    return peak * np.sin(2 * np.pi * frequency_hz * np.arange(frames) / rate_hz)


@given(st.integers(0, 3_000), st.sampled_from(RATES), st.sampled_from(RATES))
@settings(max_examples=150, deadline=None)
def test_resampler_length_is_the_number_of_output_times_in_the_recording(frames, in_hz, out_hz):
    resampled = resample(np.ones((1, frames), np.float32), in_hz, out_hz)

    times = np.arange(frames * out_hz // in_hz + 2) * in_hz
    assert resampled.shape == (1, np.count_nonzero(times < frames * out_hz))
    assert resampled.shape[1] == resampled_frames(frames, in_hz, out_hz)


@given(st.integers(1, 10**12), st.sampled_from(RATES), st.sampled_from(RATES))
def test_resampled_frames_there_and_back_is_never_shorter(frames, in_hz, out_hz):
    back = resampled_frames(resampled_frames(frames, in_hz, out_hz), out_hz, in_hz)

    assert frames <= back <= frames + in_hz // out_hz + 1


@given(
    st.lists(st.integers(0, 20_000), max_size=12),
    st.sampled_from([(48_000, 44_100), (44_100, 48_000), (192_000, 8_000), (11_025, 48_000)]),
)
@settings(max_examples=40, deadline=None)
def test_resampler_cuts_of_the_stream_change_no_bit(cuts, rates):
    samples = np.random.default_rng(1).uniform(-1, 1, (2, 20_000)).astype(np.float32)

    in_hz, out_hz = rates
    assert np.array_equal(resample(samples, in_hz, out_hz, cuts), resample(samples, in_hz, out_hz))


def test_resampler_equal_rates_hands_the_block_through():
    block = np.arange(6, dtype=np.int32).reshape(2, 3)
    resampler = Resampler(44_100, 44_100, 2)

    assert resampler.push(block) is block
    assert resampler.finish().shape == (2, 0)


@pytest.mark.parametrize(("in_hz", "out_hz"), [(48_000, 44_100), (44_100, 48_000)])
def test_resampler_impulse_stays_where_it_was(in_hz, out_hz):
    at_s = 0.1  # a whole frame at both rates
    impulse = np.zeros((2, in_hz), np.float32)
    impulse[1, round(at_s * in_hz)] = 1

    left, right = resample(impulse, in_hz, out_hz)

    assert not left.any()
    peak = round(at_s * out_hz)
    assert np.argmax(np.abs(right)) == peak
    # Linear phase: what surrounds the peak is the same on both sides.
    before, after = right[peak - 500 : peak][::-1], right[peak + 1 : peak + 501]
    assert np.abs(before - after).max() < 1e-6


@pytest.mark.parametrize(("in_hz", "out_hz"), [(48_000, 44_100), (44_100, 48_000)])
@pytest.mark.parametrize("frequency_hz", [100, 997, 10_000, 18_000])
def test_resampler_sine_comes_out_as_the_sine_of_the_other_rate(in_hz, out_hz, frequency_hz):
    samples = tone(frequency_hz, in_hz, 2 * in_hz).astype(np.float32)[None]

    resampled = resample(samples, in_hz, out_hz)[0]

    middle = slice(out_hz // 4, -out_hz // 4)
    error = (resampled - tone(frequency_hz, out_hz, len(resampled)))[middle]
    # -84 dB of it at 18 kHz is the filter's slope, 0.001 dB; below that float32's rounding.
    limit_db = -75 if frequency_hz > 10_000 else -120
    assert 20 * np.log10(np.std(error) / (0.5 / np.sqrt(2))) < limit_db


def test_resampler_tone_above_the_new_limit_is_gone():
    samples = tone(23_000, 48_000, 96_000).astype(np.float32)[None]

    alias = resample(samples, 48_000, 44_100)[0][10_000:-10_000]

    assert 20 * np.log10(np.std(alias) / (0.5 / np.sqrt(2))) < -140


def test_resampler_takes_blocks_whose_rows_are_not_contiguous():
    interleaved = np.random.default_rng(2).uniform(-1, 1, (5_000, 2)).astype(np.float32)

    strided = resample(interleaved.T, 48_000, 44_100)

    assert np.array_equal(strided, resample(np.ascontiguousarray(interleaved.T), 48_000, 44_100))
