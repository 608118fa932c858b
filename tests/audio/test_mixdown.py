"""Mix-downs of real files: exact sums, ranges, speeds, formats, loudness, memory, failures."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from peak_memory import PEAK_MB
from stem_files import a_recording, read, write_stem

from stemset.audio.encode import plan_encoding
from stemset.audio.formats import Depth, OutputFormat
from stemset.audio.mix import Mix, StemLevel
from stemset.audio.mixdown import Mixdown, mix_down
from stemset.audio.mixdown_order import FileChoice
from stemset.errors import InputNotFound, InvalidMix, NoSpace, OutputInvalid, UnsupportedFormat

FRAMES = 150_000
WAV, FLAC = FileChoice(OutputFormat.WAV), FileChoice(OutputFormat.FLAC)

MEMORY = (
    PEAK_MB
    + """
from stemset.audio.formats import OutputFormat
from stemset.audio.mix import Mix, StemLevel
from stemset.audio.mixdown import mix_down
from stemset.audio.mixdown_order import FileChoice

folder = Path(sys.argv[1])
level = StemLevel(-3.0, 0.2)

def mix(stem, **more):
    stems = {str(number): folder / stem for number in range(4)}
    mixed = Mix(dict.fromkeys(stems, level), **more)
    mix_down(mixed, stems, folder / "mix", FileChoice(OutputFormat.FLAC))

mix("short.flac", speed=0.9)
before = peak_mb()
mix("long.flac")
print(peak_mb() - before)
"""
)


def make_stems(
    folder: Path, depth: Depth = Depth.S16, count: int = 3, frames: int = FRAMES, layout="stereo"
) -> tuple[dict[str, Path], dict[str, NDArray]]:
    """FLAC stems of noise, and their samples."""
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(depth=depth, layout=layout))
    top = (1 << (depth.bits - 1)) // count
    random = np.random.default_rng(7)
    shape = (len(encoding.channels), frames)
    samples = {
        f"stem {number}": random.integers(-top, top, shape, dtype=np.int32)
        for number in range(count)
    }
    paths = {name: write_stem(folder / name, encoding, each)[0] for name, each in samples.items()}
    return paths, samples


def mixed(
    folder: Path, stems: Mapping[str, Path], choice: FileChoice, mix: Mix | None = None
) -> Mixdown:
    whole = Mix(dict.fromkeys(stems, StemLevel()))
    return mix_down(mix or whole, stems, folder / "mix", choice)


@pytest.mark.parametrize("depth", [Depth.S16, Depth.S24])
@pytest.mark.parametrize("choice", [WAV, FLAC], ids=lambda each: each.format)
def test_mix_of_all_stems_is_their_sum_in_the_last_bit(
    tmp_path: Path, depth: Depth, choice: FileChoice
):
    stems, samples = make_stems(tmp_path, depth)

    made = mixed(tmp_path, stems, choice)

    file = read(made.path)
    assert np.array_equal(file.samples, sum(samples.values()))
    assert (file.rate_hz, made.frames, made.lowered_db) == (48_000, FRAMES, 0)


def test_mix_at_another_depth_is_rounded_to_it(tmp_path: Path):
    stems, samples = make_stems(tmp_path, Depth.S24)

    made = mixed(tmp_path, stems, FileChoice(OutputFormat.WAV, depth=Depth.S16))

    wanted = np.rint(np.sum(list(samples.values()), axis=0) / 256)
    assert np.array_equal(read(made.path).samples, wanted)


def test_range_is_exact_to_the_frame(tmp_path: Path):
    stems, samples = make_stems(tmp_path)
    mix = Mix(dict.fromkeys(stems, StemLevel()), start_s=70_001 / 48_000, end_s=131_073 / 48_000)

    made = mixed(tmp_path, stems, FLAC, mix)

    assert np.array_equal(
        read(made.path).samples, np.sum(list(samples.values()), 0)[:, 70_001:131_073]
    )


def test_speed_makes_it_longer_to_the_frame(tmp_path: Path):
    stems, _ = make_stems(tmp_path)
    mix = Mix(dict.fromkeys(stems, StemLevel()), speed=0.75, start_s=0.5, end_s=2.5)

    made = mixed(tmp_path, stems, FLAC, mix)

    assert read(made.path).samples.shape == (2, 128_000)
    assert made.frames == 128_000


@pytest.mark.parametrize("output_format", list(OutputFormat))
def test_every_format_is_one_file_without_what_players_need(
    tmp_path: Path, output_format: OutputFormat
):
    stems, _ = make_stems(tmp_path)
    folder = tmp_path / "made"
    folder.mkdir()

    made = mixed(folder, stems, FileChoice(output_format))

    assert list(folder.iterdir()) == [made.path] == [folder / f"mix{output_format.suffix}"]
    assert abs(read(made.path).samples.shape[1] - FRAMES) <= 1200


def test_mix_that_is_too_loud_is_lowered_to_full_scale(tmp_path: Path):
    stems, samples = make_stems(tmp_path)
    loud = Mix(dict.fromkeys(stems, StemLevel(gain_db=9.0)))
    told: list[float] = []

    made = mix_down(loud, stems, tmp_path / "mix", WAV, on_progress=told.append)

    peak = np.abs(read(made.path).samples).max()
    total = np.sum(list(samples.values()), axis=0) * 10 ** (9 / 20)
    assert 32766 <= peak <= 32768
    assert made.lowered_db == pytest.approx(20 * np.log10(np.abs(total).max() / 32767.5), abs=0.01)
    assert told == sorted(told)
    assert told[-1] == 1


def test_float_file_holds_what_is_too_loud(tmp_path: Path):
    stems, samples = make_stems(tmp_path)
    loud = Mix(dict.fromkeys(stems, StemLevel(gain_db=9.0)))

    made = mixed(tmp_path, stems, FileChoice(OutputFormat.WAV, depth=Depth.F32), loud)

    total = np.sum(list(samples.values()), axis=0) / 32768 * 10 ** (9 / 20)
    assert made.lowered_db == 0
    assert read(made.path).samples == pytest.approx(total, rel=1e-6)


def test_mono_stems_give_a_mono_file(tmp_path: Path):
    stems, samples = make_stems(tmp_path, layout="mono")

    made = mixed(tmp_path, stems, FLAC)

    assert np.array_equal(read(made.path).samples, sum(samples.values()))


def test_progress_never_falls_and_ends_at_one(tmp_path: Path):
    stems, _ = make_stems(tmp_path)
    told: list[float] = []

    mix_down(
        Mix(dict.fromkeys(stems, StemLevel())),
        stems,
        tmp_path / "mix",
        FLAC,
        on_progress=told.append,
    )

    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == 1


def test_stems_that_do_not_belong_together_are_refused(tmp_path: Path):
    stems, _ = make_stems(tmp_path)
    (tmp_path / "other").mkdir()
    shorter, _ = make_stems(tmp_path / "other", frames=FRAMES - 1)

    with pytest.raises(OutputInvalid, match="different lengths"):
        mixed(tmp_path, {**stems, "stem 1": shorter["stem 1"]}, FLAC)
    assert not (tmp_path / "mix.flac").exists()


def test_mix_beyond_the_end_leaves_no_file(tmp_path: Path):
    stems, _ = make_stems(tmp_path)

    with pytest.raises(InvalidMix, match="beyond the end"):
        mixed(tmp_path, stems, WAV, Mix(dict.fromkeys(stems, StemLevel()), start_s=60))
    assert not (tmp_path / "mix.wav").exists()


def test_missing_stem_and_impossible_format_are_refused(tmp_path: Path):
    stems, _ = make_stems(tmp_path)

    with pytest.raises(InputNotFound):
        mixed(tmp_path, {**stems, "stem 1": tmp_path / "none.flac"}, WAV)
    with pytest.raises(UnsupportedFormat):
        mixed(tmp_path, stems, FileChoice(OutputFormat.MP3, bitrate_kbps=1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk_is_said(tmp_path: Path):
    stems, _ = make_stems(tmp_path)
    (tmp_path / "mix.wav").symlink_to("/dev/full")

    with pytest.raises(NoSpace):
        mixed(tmp_path, stems, WAV)


@pytest.mark.slow
def test_memory_does_not_grow_with_three_hours(tmp_path: Path):
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(rate_hz=8_000, depth=Depth.S16))
    minute = np.tile(np.arange(-4000, 4000, dtype=np.int32), (2, 60))
    for name, minutes in (("short", 1), ("long", 180)):
        write_stem(tmp_path / name, encoding, np.tile(minute, (1, minutes)))

    ended = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )

    assert int(ended.stdout) < 30
