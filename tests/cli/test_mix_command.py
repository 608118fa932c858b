"""``stemset mix``, on outputs of the real model."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from program import Stemset


@pytest.fixture
def output(stemset: Stemset, take: Path) -> Path:
    assert stemset("split", take.name, "--format", "flac").code == 0
    (folder,) = (take.parent / "stems").iterdir()
    return folder


def samples_of(path: Path) -> NDArray[np.int64]:
    with av.open(str(path)) as file:
        pack = av.AudioResampler(format="s16")
        frames = [each for frame in file.decode(audio=0) for each in pack.resample(frame)]
        return np.concatenate([each.to_ndarray().reshape(-1, 2) for each in frames]).T.astype(int)


@pytest.mark.parametrize("name", ["all.wav", "all.flac"])
def test_mix_of_all_stems_is_the_recording(stemset: Stemset, output: Path, take: Path, name: str):
    ended = stemset("mix", output, "-o", name)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{name}: 2.0 s of audio\n"
    assert np.array_equal(samples_of(take.with_name(name)), samples_of(take))


def test_mix_without_vocals_is_the_accompaniment(stemset: Stemset, output: Path, take: Path):
    stemset("mix", output, "-o", "backing.wav", "--mute", "vocals")
    stemset("mix", output, "-o", "same.wav", "--only", "accompaniment")

    backing = samples_of(take.with_name("backing.wav"))
    assert np.array_equal(backing, samples_of(output / "accompaniment.flac"))
    assert np.array_equal(backing, samples_of(take.with_name("same.wav")))


def test_mix_of_a_part_slower_and_lower_has_its_length(stemset: Stemset, output: Path, take: Path):
    ended = stemset(
        *("mix", output, "-o", "slow.wav", "--from", "0:00.5", "--to", "1.5"),
        *("--speed", "0.8", "--pitch", "-2", "--json"),
    )

    made = json.loads(ended.out)
    assert (made["frames"], made["rate_hz"]) == (round(44_100 / 0.8), 44_100)
    assert samples_of(take.with_name("slow.wav")).shape == (2, round(44_100 / 0.8))


def test_mix_that_is_too_loud_says_that_it_was_lowered(stemset: Stemset, output: Path):
    ended = stemset("mix", output, "-o", "loud.mp3", "--gain", "vocals=20", "--pan", "vocals=-0.5")

    assert ended.code == 0
    assert "note: the mix is louder than the file can hold: lowered by" in ended.out


def test_mix_replaces_no_file_unless_it_is_told_to(stemset: Stemset, output: Path, take: Path):
    target = take.with_name("mine.wav")
    target.write_bytes(b"precious")

    refused = stemset("mix", output, "-o", target)
    forced = stemset("mix", output, "-o", target, "--force")

    assert refused.code == 1
    assert "[output_exists]" in refused.err
    assert forced.code == 0
    assert np.array_equal(samples_of(target), samples_of(take))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mute", "guitar"), "There is no stem 'guitar'; there are accompaniment, vocals."),
        (("--mute", "vocals", "--mute", "accompaniment"), "nothing to hear"),
        (("--gain", "vocals"), "'vocals' is no stem and number, as in drums=-3."),
        (("--gain", "vocals=nan"), "The gain of vocals is nan"),
        (("--from", "1:75"), "'1:75' is no time"),
        (("--to", "1:00"), "The mix goes to 60 s; the recording ends at 2 s."),
        (("--speed", "2"), "The speed is 2; it can be 0.5 to 1.5."),
        (("--bitrate", "128", "--depth", "16", "-o", "mix.ogg"), "ends in no format"),
    ],
)
def test_mix_of_what_cannot_be_is_refused_and_leaves_no_file(
    stemset: Stemset, output: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
):
    before = sorted(tmp_path.iterdir())

    ended = stemset("mix", output, "-o", "mix.wav", *arguments)

    assert ended.code == 2
    assert says in ended.err
    assert sorted(tmp_path.iterdir()) == before


def test_mix_of_a_folder_without_output_says_so(stemset: Stemset, tmp_path: Path):
    ended = stemset("mix", tmp_path, "-o", "mix.wav")

    assert ended.code == 1
    assert "[output_not_found]" in ended.err
