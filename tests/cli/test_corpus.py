"""Every bad and every odd input, through the whole program."""

from pathlib import Path

import pytest
from corpus import BAD, ODD, Case, write
from program import Stemset

from stemset.pipeline.verify import verify_output


def without_limits(cases: dict[str, Case]) -> list[str]:
    return [name for name, case in cases.items() if case.limit_s is None]


def test_bad_recordings_are_refused_by_code_and_leave_nothing(
    stemset: Stemset, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    paths = {name: write(name, folder) for name in without_limits(BAD)}
    before = sorted(path.name for path in folder.iterdir())

    ended = stemset("split", "--json", "--", *paths.values())

    assert ended.code == 1
    assert "Traceback" not in ended.err
    codes = {event["file"]: event["code"] for event in ended.events("error")}
    assert codes == {str(path): BAD[name].code for name, path in paths.items()}
    stems = tmp_path / "stems"
    assert not stems.exists() or list(stems.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.slow
def test_odd_but_legal_recordings_are_split_and_verify(stemset: Stemset, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    paths = {name: write(name, folder) for name in without_limits(ODD)}

    ended = stemset("split", "--json", "--format", "flac", "--", *paths.values())

    assert [(e["file"], e["code"], e["message"]) for e in ended.events("error")] == []
    assert ended.code == 0, ended.err
    for event in ended.events("complete"):
        output, recording = tmp_path / event["output"], Path(event["file"])
        assert verify_output(output, recording).problems == (), recording.name
