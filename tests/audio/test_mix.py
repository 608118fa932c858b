"""Mixes: what can be asked for, what becomes of stems."""

import math
from dataclasses import replace

import numpy as np
import pytest
from stem_files import a_recording

from stemset.audio.mix import (
    Mix,
    StemLevel,
    Summing,
    mix_from_json,
    mixed_format,
    pan_matrix,
)
from stemset.errors import InvalidMix

NAN = math.nan
STEREO = {"bass": np.array([[0.5, 0.25], [0.1, -0.3]], np.float32)}


def mix_of(gain_db: float = 0.0, pan: float = 0.0, **more: float) -> Mix:
    return Mix({"bass": StemLevel(gain_db, pan)}, **more)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mix({}), "nothing to hear"),
        (lambda: mix_of(gain_db=NAN), "nan"),
        (lambda: mix_of(gain_db=24.1), "-120 to 24 dB"),
        (lambda: mix_of(gain_db=-math.inf), "-inf"),
        (lambda: mix_of(pan=-1.5), "-1 to 1"),
        (lambda: mix_of(master_db=NAN), "master gain"),
        (lambda: mix_of(speed=0.4), "0.5 to 1.5"),
        (lambda: mix_of(speed=NAN), "speed is nan"),
        (lambda: mix_of(semitones=-6.5), "-6 to 6 semitones"),
        (lambda: mix_of(start_s=-0.1), "0 or more s"),
        (lambda: mix_of(end_s=math.inf), "inf"),
        (lambda: mix_of(start_s=2.0, end_s=2.0), "not after its start"),
    ],
)
def test_mix_out_of_bounds_is_refused_with_value_and_limit(make, says: str):
    with pytest.raises(InvalidMix, match=says):
        make()


def test_mix_checked_against_an_output_names_what_is_missing():
    with pytest.raises(InvalidMix, match="no stem 'bass'; there are drums, vocals"):
        mix_of().check_against(["vocals", "drums"], 10.0)
    with pytest.raises(InvalidMix, match="goes to 11 s; the recording ends at 10 s"):
        mix_of(end_s=11.0).check_against(["bass"], 10.0)
    mix_of(end_s=10.0).check_against(["bass"], 10.0)


def test_mix_written_as_json_is_read_back_whatever_the_order_of_stems():
    mix = Mix({"b": StemLevel(-3, 0.5), "a": StemLevel()}, 1.0, 2.0, 3.0, 0.75, -2.0)
    other = replace(mix, stems={"a": StemLevel(), "b": StemLevel(-3, 0.5)})

    assert mix_from_json(mix.as_json()) == mix
    assert list(mix.as_json()["stems"]) == list(other.as_json()["stems"])


@pytest.mark.parametrize("pan", [-1, -0.5, -0.2, 0, 0.3, 0.75, 1])
def test_pan_is_web_audios_law_for_stereo(pan: float):
    """Source: Web Audio API, StereoPannerNode, as the specification has it."""
    left, right = 0.4, -0.7
    x = pan + 1 if pan <= 0 else pan
    gain_left, gain_right = math.cos(x * math.pi / 2), math.sin(x * math.pi / 2)
    if pan <= 0:
        wanted = [left + right * gain_left, right * gain_right]
    else:
        wanted = [left * gain_left, right + left * gain_right]

    assert pan_matrix(pan, 2) @ [left, right] == pytest.approx(wanted)


def test_pan_in_the_middle_changes_no_bit():
    heard = Summing(mix_of(), 2).add(STEREO)

    assert np.array_equal(heard, STEREO["bass"])


def test_gains_add_up_in_decibels():
    heard = Summing(mix_of(gain_db=-9.0, master_db=-11.0), 2).add(STEREO)

    assert heard == pytest.approx(0.1 * STEREO["bass"])


def test_sum_of_24_bit_samples_loses_nothing():
    random = np.random.default_rng(3)
    whole = random.integers(-(2**23), 2**23, (6, 2, 5000))
    stems = {str(each): (samples / 2**23).astype(np.float32) for each, samples in enumerate(whole)}

    heard = Summing(Mix(dict.fromkeys(stems, StemLevel())), 2).add(stems)

    assert np.array_equal(heard * 2**23, whole.sum(axis=0))


def test_mono_stems_stay_mono_until_one_is_panned():
    mono = a_recording(layout="mono")

    assert mixed_format(mono, mix_of()) == mono
    assert mixed_format(mono, mix_of(pan=0.2)).channels == ("FL", "FR")


def test_mono_stem_in_the_middle_is_as_loud_in_a_stereo_mix():
    mix = Mix({"bass": StemLevel(), "drums": StemLevel(pan=1.0)})
    stems = {"bass": np.full((1, 3), 0.5, np.float32), "drums": np.full((1, 3), 0.25, np.float32)}

    heard = Summing(mix, 2).add(stems)

    # At the far right, both halves of the panned stem are in the right channel.
    assert heard == pytest.approx(np.array([[0.5] * 3, [0.5 + 2 * 0.25] * 3]))


def test_surround_stems_have_no_pan():
    surround = a_recording(layout="5.1")

    assert mixed_format(surround, mix_of()) == surround
    with pytest.raises(InvalidMix, match="6 channels"):
        mixed_format(surround, mix_of(pan=0.1))
