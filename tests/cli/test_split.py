import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from program import Stemset, write_take


def outputs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_split_makes_stems_and_says_where(stemset: Stemset, take: Path, tmp_path: Path) -> None:
    ended = stemset("split", take.name)

    assert ended.code == 0, ended.err
    (name,) = outputs(tmp_path / "stems")
    assert name.startswith("take_")
    assert {"vocals.opus", "accompaniment.opus", "metadata.json"} <= set(
        outputs(tmp_path / "stems" / name)
    )
    assert f"stems/{name}/vocals.opus" in ended.out
    assert "The stems add up to the mix" in ended.out
    assert ended.err == ""


def test_split_again_skips_what_is_done(stemset: Stemset, take: Path) -> None:
    stemset("split", take.name, "--format", "wav")

    ended = stemset("split", take.name, "--format", "wav", "--json")

    assert ended.code == 0
    assert [event["event"] for event in ended.events()] == ["skipped", "summary"]


def test_split_knows_a_recording_by_its_content(
    stemset: Stemset, take: Path, tmp_path: Path
) -> None:
    stemset("split", take.name)
    shutil.copy(take, tmp_path / "the same.wav")

    ended = stemset("split", "the same.wav", "--json")

    assert [event["event"] for event in ended.events()] == ["skipped", "summary"]
    assert len(outputs(tmp_path / "stems")) == 1


def test_split_with_force_makes_it_again(stemset: Stemset, take: Path) -> None:
    stemset("split", take.name, "--format", "wav")

    ended = stemset("split", take.name, "--format", "wav", "--json", "--force")

    assert len(ended.events("complete")) == 1


def test_split_with_other_settings_keeps_the_first_output(
    stemset: Stemset, take: Path, tmp_path: Path
) -> None:
    stemset("split", take.name, "--format", "wav")

    refused = stemset("split", take.name, "--format", "flac")
    forced = stemset("split", take.name, "--format", "flac", "--force")

    assert refused.code == 1
    assert "[output_exists]" in refused.err
    assert forced.code == 0
    (name,) = outputs(tmp_path / "stems")
    assert "vocals.flac" in outputs(tmp_path / "stems" / name)
    assert "vocals.wav" not in outputs(tmp_path / "stems" / name)


def test_split_of_two_recordings_with_one_name_keeps_both(
    stemset: Stemset, song: NDArray[np.float32], tmp_path: Path
) -> None:
    for folder, start in (("a", 0), ("b", 50_000)):
        write_take(tmp_path / folder / "take.wav", song[:, start : start + 50_000])

    ended = stemset("split", "a/take.wav", "b/take.wav")

    assert ended.code == 0
    assert len(outputs(tmp_path / "stems")) == 2


def test_split_dry_run_makes_nothing(stemset: Stemset, take: Path, tmp_path: Path) -> None:
    ended = stemset("split", take.name, "--dry-run")

    assert ended.code == 0
    assert "would be split (2.0 s)" in ended.out
    assert "resampled from 44100 to 48000 Hz" in ended.out
    assert not (tmp_path / "stems").exists()


def test_split_as_json_tells_the_whole_story(stemset: Stemset, take: Path) -> None:
    ended = stemset("split", take.name, "--json", "--format", "flac")

    kinds = [event["event"] for event in ended.events()]
    assert kinds[0] == "planned"
    assert kinds[-2:] == ["complete", "summary"]
    assert set(kinds) == {"planned", "progress", "complete", "summary"}
    assert all(event["schema_version"] == 1 for event in ended.events())
    (complete,) = ended.events("complete")
    assert complete["metadata"]["sum_to_mix"]["exact"] is True


def test_split_of_a_folder_goes_on_after_a_bad_file(
    stemset: Stemset, take: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a bad.wav").write_bytes(b"<html>not found</html>")
    (folder / "notes.txt").write_text("no audio, and not asked about")
    (folder / ".hidden.wav").write_bytes(b"")
    take.rename(folder / "b good.wav")

    ended = stemset("split", folder, "--json")

    assert ended.code == 3
    (error,) = ended.events("error")
    assert error["code"] == "audio_unsupported"
    assert len(ended.events("complete")) == 1
    assert ended.events("summary")[0] | {"done": 1, "failed": 1} == ended.events("summary")[0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing.wav"], 1, "[input_not_found]"),
        (["take.wav", "--strategy", "nothing"], 2, "[strategy_unknown]"),
        (["take.wav", "--format", "midi"], 2, "midi"),
        (["take.wav", "--format", "opus", "--bitrate", "9000"], 2, "9000"),
        (["take.wav", "--format", "mp3", "--depth", "24"], 2, "24"),
        ([], 2, "Missing argument"),
    ],
)
def test_split_that_cannot_be_done_says_why(
    stemset: Stemset, take: Path, arguments: list[str], code: int, says: str
) -> None:
    assert take.exists()

    ended = stemset("split", *arguments)

    assert ended.code == code, ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_split_without_the_model_says_how_to_install_it(
    stemset: Stemset, take: Path, tmp_path: Path
) -> None:
    ended = stemset("split", take.name, env={"STEMSET_MODEL_DIR": str(tmp_path / "none")})

    assert ended.code == 4
    assert "stemset models install spleeter-2stems" in ended.err


def test_split_of_a_recording_over_the_limit_is_refused(stemset: Stemset, take: Path) -> None:
    ended = stemset("split", take.name, env={"STEMSET_MAX_DURATION_S": "1.5"})

    assert ended.code == 1
    assert "[audio_too_long]" in ended.err
    assert "1.5" in ended.err


@pytest.mark.parametrize(
    "name",
    ["-v.wav", "two\nlines.wav", "Käse 日本 🎸.wav", "a" * 251 + ".wav", b"\xff\xfe.wav"],
)
def test_split_of_a_file_of_any_name_works(
    stemset: Stemset, take: Path, tmp_path: Path, name: str | bytes
) -> None:
    odd = Path(os.fsdecode(name))
    take.rename(tmp_path / odd)

    ended = stemset("split", "--format", "wav", "--json", "--", odd)

    assert ended.code == 0, ended.err
    assert len(ended.events("complete")) == 1
    assert "Traceback" not in ended.err
    (folder,) = outputs(tmp_path / "stems")
    assert folder.isascii()
    assert len(folder) < 100


@pytest.mark.parametrize("kind", ["folder", "pipe", "locked"])
def test_split_of_what_is_no_readable_file_is_refused_at_once(
    stemset: Stemset, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "input.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"RIFF")
        path.chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root may read everything")

    ended = stemset("split", path)

    if kind == "folder":  # an empty one
        assert (ended.code, ended.out) == (0, "There are no recordings here.\n")
    else:
        assert ended.code == 1
        assert "[input_unreadable]" in ended.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_split_that_is_interrupted_leaves_nothing_and_the_next_run_finishes(
    stemset: Stemset, long_take: Path, tmp_path: Path, how: signal.Signals
) -> None:
    process = stemset.start("split", long_take.name, "--format", "wav")
    wait_for_part(tmp_path / "stems")
    children = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(how)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert b"Interrupted" in err
    assert outputs(tmp_path / "stems") == []
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert stemset("split", long_take.name, "--format", "wav").code == 0


def test_split_that_is_killed_leaves_no_output_and_the_next_run_finishes(
    stemset: Stemset, long_take: Path, tmp_path: Path
) -> None:
    process = stemset.start("split", long_take.name, "--format", "wav")
    wait_for_part(tmp_path / "stems")
    children = psutil.Process(process.pid).children(recursive=True)

    process.kill()
    process.communicate(timeout=20)

    assert all(name.startswith(".") for name in outputs(tmp_path / "stems"))
    assert psutil.wait_procs(children, timeout=10)[1] == []
    ended = stemset("split", long_take.name, "--format", "wav")
    assert ended.code == 0
    (name,) = outputs(tmp_path / "stems")
    assert name.startswith("long_")


def wait_for_part(folder: Path) -> None:
    """Wait until a run is writing stems."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if any(path.stat().st_size > 100_000 for path in folder.glob(".*.part/*.wav")):
            return
        time.sleep(0.01)
    pytest.fail("no stem was being written")


def test_split_into_a_closed_pipe_ends_quietly(stemset: Stemset, take: Path) -> None:
    process = stemset.start("split", take.name, "--json")
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(timeout=60) == 1
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_split_onto_a_full_disk_says_so_and_leaves_nothing(
    stemset: Stemset, take: Path, small_disk: Path
) -> None:
    ended = stemset("split", take.name, "--format", "wav", "-o", small_disk / "stems")

    assert ended.code == 1
    assert "[no_space]" in ended.err
    assert "Traceback" not in ended.err
    assert outputs(small_disk / "stems") == []


def test_default_strategy_on_a_terminal_is_told_of_a_better_one(
    stemset: Stemset, take: Path
) -> None:
    by_hand = stemset.on_a_terminal("split", take)
    other = stemset.on_a_terminal("split", take, "-s", "vocals-only", "-o", "other")
    script = stemset("split", take, "-o", "script")

    assert [ended.code for ended in (by_hand, other, script)] == [0, 0, 0]
    assert "tip: htdemucs makes better stems" in by_hand.out
    assert "(84 MB, licence none stated): stemset models install htdemucs" in by_hand.out
    assert "tip:" not in other.out + script.out + script.err


def test_clipped_recording_is_told(
    stemset: Stemset, tmp_path: Path, song: NDArray[np.float32]
) -> None:
    write_take(tmp_path / "loud.wav", np.clip(4 * song[:, :88_200], -1, 1))

    ended = stemset("split", "loud.wav")

    assert ended.code == 0, ended.err
    assert "note: The recording sounds clipped: it stays at full scale in " in ended.out
