import hashlib
import json
import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stemset.audio.decode import Decoder, probe
from stemset.audio.encode import StemWriter, plan_encoding
from stemset.audio.formats import Depth, OutputFormat, RecordingFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import find_strategy
from stemset.errors import InputChanged, OutputBusy
from stemset.orders.phase import Phase
from stemset.pipeline.networks import Networks
from stemset.pipeline.output import making_output
from stemset.pipeline.plan import Job, identify, plan_job
from stemset.pipeline.progress import Progress
from stemset.pipeline.run import run
from stemset.pipeline.verify import verify_output
from stemset.separation.network import Precision
from stemset.separation.separator import Separator
from stemset.separation.signals import plan_signals

STRATEGY = "spleeter-2stems"
SECONDS = 3


def write_wav(
    path: Path, samples: NDArray[np.floating], rate_hz: int = 44_100, depth: Depth = Depth.S16
) -> Path:
    """Write samples as a WAV file with some tags, by the product's own writer."""
    names = ("FL", "FR")[: len(samples)] if len(samples) > 1 else ("FC",)
    layout = "stereo" if len(samples) > 1 else "mono"
    source = RecordingFormat("wav", "", rate_hz, names, layout, depth, lossless=True, frames=None)
    written = (
        samples.astype(np.float32)
        if depth.is_float
        else np.rint(samples * (2.0 ** (depth.bits - 1) - 1)).astype(np.int32)
    )
    encoding = plan_encoding(OutputFormat.WAV, None, source)
    with StemWriter(path.with_suffix(""), encoding, tags={"artist": "The Band"}) as writer:
        writer.write(written)
    return path


def plan(path: Path, root: Path, choice: OutputChoice | None = None, **options: Any) -> Job:
    return plan_job(
        identify(path),
        probe(path),
        root=root,
        strategy_name=STRATEGY,
        strategy=find_strategy(options.pop("strategy", STRATEGY)),
        choice=choice or OutputChoice(OutputFormat.FLAC),
        **options,
    )


def decoded(path: Path) -> tuple[RecordingFormat, NDArray[Any]]:
    with Decoder(path) as decoder:
        return decoder.format, np.concatenate(list(decoder), axis=1)


def hashes(folder: Path, suffix: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob(f"*{suffix}")
    }


@pytest.fixture
def mix(song: NDArray[np.float32]) -> NDArray[np.float32]:
    return song[:, : SECONDS * 44_100 + 11]


@pytest.mark.parametrize("output_format", [OutputFormat.WAV, OutputFormat.FLAC])
@pytest.mark.parametrize(
    ("rate_hz", "depth"),
    [(44_100, Depth.S16), (48_000, Depth.S24), (96_000, Depth.S24), (22_050, Depth.S16)],
)
def test_run_of_a_lossless_recording_keeps_rate_depth_and_frames_and_adds_up(
    tmp_path: Path,
    mix: NDArray[np.float32],
    networks: Networks,
    output_format: OutputFormat,
    rate_hz: int,
    depth: Depth,
) -> None:
    path = write_wav(tmp_path / "take.wav", mix, rate_hz, depth)
    job = plan(path, tmp_path / "out", OutputChoice(output_format))

    metadata = run(job, networks)

    _, original = decoded(path)
    scale = 2 ** (depth.bits - 1)
    total = np.zeros(original.shape, np.int64)
    for stem in ("vocals", "accompaniment"):
        heard, samples = decoded(job.output / f"{stem}{output_format.suffix}")
        assert (heard.rate_hz, heard.depth, heard.channels) == (rate_hz, depth, ("FL", "FR"))
        assert samples.shape == original.shape
        assert samples.any()
        total += np.rint(samples.astype(np.float64) * scale).astype(np.int64)
    np.testing.assert_array_equal(total, np.rint(original.astype(np.float64) * scale))
    assert metadata["sum_to_mix"] == {
        "exact": True,
        "error_db": None,
        "largest_error": 0.0,
        "closing_stem": "accompaniment",
    }


@pytest.mark.parametrize("output_format", list(OutputFormat))
def test_run_to_any_format_gives_an_output_that_verifies(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks, output_format: OutputFormat
) -> None:
    path = write_wav(tmp_path / "take.wav", mix)
    job = plan(path, tmp_path / "out", OutputChoice(output_format))

    run(job, networks)
    found = verify_output(job.output, path)

    assert found.problems == ()
    assert found.sum_error is not None
    assert found.sum_error.exact or (found.sum_error.db or 0) < -20


def test_run_of_mono_float_to_wav_keeps_both(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "take.wav", 1.7 * mix[:1], 44_100, Depth.F32)
    job = plan(path, tmp_path / "out", OutputChoice(OutputFormat.WAV))

    metadata = run(job, networks)

    heard, samples = decoded(job.output / "vocals.wav")
    assert (heard.depth, samples.shape) == (Depth.F32, mix[:1].shape)
    assert metadata["gain_db"] == 0
    assert metadata["sum_to_mix"]["error_db"] < -140  # type: ignore[index]


def test_run_twice_gives_the_same_bytes(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "take.wav", mix, 48_000, Depth.S24)
    jobs = [plan(path, tmp_path / name, OutputChoice(OutputFormat.OPUS)) for name in "ab"]

    for job in jobs:
        run(job, networks)

    for suffix in (".opus", ".dat", ".png", ".json"):
        first, second = (hashes(job.output, suffix) for job in jobs)
        first.pop("metadata.json", None)
        second.pop("metadata.json", None)
        assert first == second
        assert first


@pytest.fixture
def loud(tmp_path: Path, song: NDArray[np.float32]) -> Path:
    """A recording whose stems are louder than an integer format can hold."""
    samples = np.clip(4 * song[:, : SECONDS * 44_100], -0.999, 0.999)
    return write_wav(tmp_path / "loud.wav", samples)


def test_run_that_overshoots_carries_one_common_gain(
    tmp_path: Path, loud: Path, networks: Networks
) -> None:
    job = plan(loud, tmp_path / "out")

    seen: list[float] = []

    metadata = run(job, networks, on_progress=lambda progress: seen.append(progress.fraction))

    assert seen == sorted(seen)
    gain = 10 ** (metadata["gain_db"] / 20)  # type: ignore[operator]
    assert gain < 1
    _, original = decoded(loud)
    total = sum(decoded(job.output / f"{stem}.flac")[1] for stem in ("vocals", "accompaniment"))
    assert np.abs(total - original * gain).max() <= 0.5001 / 32768
    assert any("all stems carry" in warning for warning in metadata["warnings"])  # type: ignore[union-attr]
    assert verify_output(job.output, loud).problems == ()
    assert {path.name for path in job.output.iterdir()} == {*metadata["files"], "metadata.json"}  # type: ignore[misc]


@pytest.mark.parametrize("original_manner", [False, True])
@pytest.mark.parametrize("depth", [Depth.S16, Depth.S24, Depth.S32])
def test_run_that_overshoots_writes_what_was_computed_times_the_gain(
    tmp_path: Path, loud: Path, networks: Networks, depth: Depth, *, original_manner: bool
) -> None:
    choice = OutputChoice(OutputFormat.WAV, depth=depth)
    unbounded = OutputChoice(OutputFormat.WAV, depth=Depth.F32)
    job = plan(loud, tmp_path / "out", choice, original_manner=original_manner)
    free = plan(loud, tmp_path / "free", unbounded, original_manner=original_manner)

    gain_db = run(job, networks)["gain_db"]
    run(free, networks)

    # Roundings: of the stem, times the gain, of the other one and of the mix; float32 beyond 1.
    step = 2.5 * 2.0 ** (1 - min(depth.bits, 24))
    for stem in ("vocals", "accompaniment"):
        written, computed = (decoded(each.output / f"{stem}.wav")[1] for each in (job, free))
        wanted = computed.astype(np.float64) * 10 ** (gain_db / 20)  # type: ignore[operator]
        assert np.abs(written - wanted).max() <= step
        assert np.abs(computed).max() > 1 or stem == "vocals"


def test_run_that_overshoots_lowers_a_stem_whose_others_are_not_written(
    tmp_path: Path, loud: Path, networks: Networks
) -> None:
    choices = (OutputChoice(OutputFormat.FLAC), OutputChoice(OutputFormat.WAV, depth=Depth.F32))
    lowered, computed = (
        plan(loud, tmp_path / choice.format, choice, strategy="minus-vocals") for choice in choices
    )

    metadata = run(lowered, networks)
    run(computed, networks)

    _, written = decoded(lowered.output / "accompaniment.flac")
    _, wanted = decoded(computed.output / "accompaniment.wav")
    gain = 10 ** (metadata["gain_db"] / 20)  # type: ignore[operator]
    assert gain < 1
    assert metadata["sum_to_mix"] is None
    assert np.abs(written - wanted.astype(np.float64) * gain).max() <= 2.5 * 2.0**-15


def test_run_that_overshoots_runs_its_networks_once(
    tmp_path: Path, loud: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[int] = []
    push = Separator.push

    def counted(separator: Separator, block: NDArray[np.floating]) -> object:
        frames.append(block.shape[-1])
        return push(separator, block)

    monkeypatch.setattr(Separator, "push", counted)

    metadata = run(plan(loud, tmp_path / "out"), networks)

    assert metadata["gain_db"] < 0  # type: ignore[operator]
    assert sum(frames) == metadata["recording"]["frames"]  # type: ignore[index]


def test_run_describes_the_output_in_its_metadata(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "Übung 7.wav", mix, 48_000, Depth.S24)
    job = plan(path, tmp_path / "out", OutputChoice(OutputFormat.OPUS), profile="h4n")

    returned = run(job, networks)

    metadata = json.loads((job.output / "metadata.json").read_text("utf-8"))
    assert metadata == json.loads(json.dumps(returned))
    assert job.output.name == f"ubung-7_{job.recording.sha256[:8]}"
    assert metadata["recording"]["name"] == "Übung 7.wav"
    assert metadata["recording"]["tags"]["artist"] == "The Band"
    assert metadata["recording"]["frames"] == mix.shape[1]
    assert metadata["profile"] == "h4n"
    assert metadata["models"][0]["licence"] == "MIT"
    vocals = metadata["stems"]["vocals"]
    assert vocals["stem_type"] == "vocals"
    assert -40 < vocals["measured_lufs"] < -5
    assert 0 < vocals["peak_amplitude"] < 1
    assert -12 <= vocals["stem_gain_adjustment_db"] <= 6.02
    on_disk = {path.name for path in job.output.iterdir()} - {"metadata.json"}
    assert on_disk == set(metadata["files"])
    for stem in metadata["stems"].values():
        named = (stem["stem_url"], stem["waveform_url"], *stem["peaks_urls"])
        assert on_disk.issuperset((*named, *stem["companion_urls"]))
    with av.open(str(job.output / "vocals.opus")) as file:
        tags = {**file.metadata, **file.streams.audio[0].metadata}
    folded = {key.lower(): value for key, value in tags.items()}
    assert folded["artist"] == "The Band"
    assert folded["title"] == "Übung 7 (vocals)"


def test_run_of_silence_names_the_silent_stems(tmp_path: Path, networks: Networks) -> None:
    path = write_wav(tmp_path / "silence.wav", np.zeros((2, 50_000)))

    metadata = run(plan(path, tmp_path / "out"), networks)

    assert metadata["stems"]["vocals"]["measured_lufs"] is None  # type: ignore[index]
    assert "The stem vocals is silent." in metadata["warnings"]  # type: ignore[operator]


def test_run_beside_a_gpu_that_cannot_be_used_says_so(
    tmp_path: Path, mix: NDArray[np.float32], example: Path
) -> None:
    del example  # its model is what is needed
    path = write_wav(tmp_path / "take.wav", mix)
    job = plan(path, tmp_path / "out")
    cold = Networks()
    for network in cold.load(plan_signals(job.strategy)).values():
        network.gpu_trouble = "The GPU is not used: its driver is too old."

    metadata = run(job, cold)

    assert "The GPU is not used: its driver is too old." in metadata["warnings"]  # type: ignore[operator]


def test_run_says_what_its_networks_computed_in(
    tmp_path: Path, mix: NDArray[np.float32], example: Path
) -> None:
    del example  # its model is what is needed
    path = write_wav(tmp_path / "take.wav", mix)
    shelf = Networks()
    others = plan_signals(find_strategy(STRATEGY), original_manner=True)
    for network in shelf.load(others, original_manner=True).values():
        network.precision = Precision.BFLOAT16

    own = run(plan(path, tmp_path / "out"), shelf)
    job = plan(path, tmp_path / "half")
    for network in shelf.load(plan_signals(job.strategy)).values():
        network.precision = Precision.FLOAT16
    half = run(job, shelf)

    assert own["device"]["precision"] == "float32"  # type: ignore[index]
    assert half["device"]["precision"] == "float16"  # type: ignore[index]


def test_run_reports_progress_that_only_grows(
    tmp_path: Path, song: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "long.wav", np.tile(song, (1, 4)))
    seen: list[Progress] = []

    run(plan(path, tmp_path / "out"), networks, on_progress=seen.append)

    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {each.phase for each in seen} == {Phase.LOADING, Phase.SEPARATING, Phase.ENCODING}


def test_run_of_a_file_that_changes_meanwhile_leaves_nothing(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "take.wav", mix)
    job = plan(path, tmp_path / "out")

    def touch(_: Progress) -> None:
        os.utime(path, (1, 1))

    with pytest.raises(InputChanged):
        run(job, networks, on_progress=touch)
    assert list((tmp_path / "out").iterdir()) == []


def test_run_while_another_makes_the_output_is_refused(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "take.wav", mix)
    job = plan(path, tmp_path / "out")

    with making_output(job.root, job.output_name), pytest.raises(OutputBusy):
        run(job, networks)


def test_run_in_the_original_manner_keeps_nothing_above_11_khz(
    tmp_path: Path, mix: NDArray[np.float32], networks: Networks
) -> None:
    path = write_wav(tmp_path / "take.wav", mix)
    job = plan(path, tmp_path / "out", original_manner=True)

    metadata = run(job, networks)

    assert metadata["sum_to_mix"] is None
    _, vocals = decoded(job.output / "vocals.flac")
    power = np.abs(np.fft.rfft(vocals[0])) ** 2
    border = int(11_100 / 22_050 * len(power))
    assert power[border:].sum() < 1e-5 * power.sum()
