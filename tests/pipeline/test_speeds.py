"""What was measured stays known."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from stemset.errors import OutputUnwritable
from stemset.pipeline.speeds import Speed, known_speeds, remember

SPEED = Speed("htdemucs", audio_s=16, wall_s=0.5, cpu_s=0.9, device="cpu", day="2026-01-31")


def test_times_realtime_is_audio_for_work():
    assert SPEED.times_realtime == 2


def test_nothing_is_known_before_anything_was_measured(tmp_path: Path):
    assert known_speeds(tmp_path / "none") == {}


def test_newer_measurement_replaces_the_older_and_no_other(tmp_path: Path):
    cache = tmp_path / "not there yet"
    other = replace(SPEED, strategy="spleeter-2stems", wall_s=0.05)
    newer = replace(SPEED, wall_s=0.25)
    for speed in (SPEED, other, newer):
        remember(speed, cache)

    assert known_speeds(cache) == {"htdemucs": newer, "spleeter-2stems": other}
    assert [path.name for path in cache.iterdir()] == ["speeds.json"]


def test_measurement_of_another_machine_is_none_of_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    remember(SPEED, tmp_path)
    monkeypatch.setattr(platform, "node", lambda: "the other one")

    assert known_speeds(tmp_path) == {}
    remember(replace(SPEED, wall_s=1), tmp_path)
    assert known_speeds(tmp_path)["htdemucs"].wall_s == 1


def test_measurement_that_is_older_than_half_precision_is_of_full(tmp_path: Path):
    remember(replace(SPEED, precision="bfloat16"), tmp_path)
    assert known_speeds(tmp_path)["htdemucs"].precision == "bfloat16"

    file = tmp_path / "speeds.json"
    record = json.loads(file.read_text())
    del record["strategies"]["htdemucs"]["precision"]
    file.write_text(json.dumps(record))

    assert known_speeds(tmp_path) == {"htdemucs": SPEED}
    assert SPEED.precision == "float32"


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"schema_version": 2}', b"null"],
    ids=["empty", "object", "list", "no text", "newer", "null"],
)
def test_file_that_is_none_of_ours_tells_nothing_and_is_replaced(tmp_path: Path, content: bytes):
    (tmp_path / "speeds.json").write_bytes(content)
    assert known_speeds(tmp_path) == {}

    remember(SPEED, tmp_path)

    assert known_speeds(tmp_path) == {"htdemucs": SPEED}


def test_fields_that_are_not_known_tell_nothing(tmp_path: Path):
    remember(SPEED, tmp_path)
    file = tmp_path / "speeds.json"
    file.write_text(file.read_text().replace('"audio_s"', '"audio_length"'))

    assert known_speeds(tmp_path) == {}


def test_cache_that_cannot_be_written_to_is_said(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputUnwritable, match=r"speeds\.json"):
        remember(SPEED, tmp_path / "file")
