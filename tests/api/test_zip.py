"""ZIP files: whole outputs, of any length, in little memory, readable by every program."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from library_service import (
    await_that,
    folder_of,
    is_open,
    make_output,
    make_recording,
    open_connection,
)
from peak_memory import PEAK_MB
from service_client import RunningService
from standing_stems import STEMS, found, manifest_of

from stemset.api.media.archive import Archive
from stemset.jobs.outputs import Contents, Output
from stemset.storage.keys import attempt_folder
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

FOLDER = attempt_folder("h4n", "take", "cli00000", 1)
GROWN_LIMIT_MB = 40

MEMORY = (
    PEAK_MB
    + """
import json
from test_zip import contents_of, store_in
from stemset.api.media.archive import Archive

store = store_in(sys.argv[1])
lengths = json.loads(sys.argv[2])
list(Archive(store, contents_of({"small": 1})))  # whatever is loaded on first use
before = peak_mb()
archive = Archive(store, contents_of(lengths))
assert sum(map(len, archive)) == len(archive)
print(peak_mb() - before)
"""
)


def store_in(folder: str) -> Store:
    return open_store(StoreSettings("folder", folder))


def contents_of(lengths: dict[str, int], name: str = "take 1") -> Contents:
    """An output whose stems have these lengths."""
    metadata = dict(manifest_of(found(), dict.fromkeys(lengths, b"")).metadata)
    metadata["files"] = {
        f"{stem}.wav": {"bytes": length, "sha256": "0" * 64} for stem, length in lengths.items()
    }
    now = datetime.now(UTC)
    stems = tuple(lengths)
    output = Output("id", "h4n", "take", "0" * 64, name, None, stems, "wav", 0, now, now)
    return Contents(output, metadata, FOLDER)


def put_files(folder: Path, lengths: dict[str, int]) -> None:
    """Files that take no room on the disk."""
    place = folder / FOLDER.prefix
    place.mkdir(parents=True)
    for stem, length in lengths.items():
        with (place / f"{stem}.wav").open("wb") as file:
            file.truncate(length)


def test_zip_holds_all_stems_and_their_metadata_in_one_folder(running: RunningService):
    _, output_id = make_output(running, make_recording(running))

    answer = running.client.get(f"/api/outputs/{output_id}/zip")

    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="take 1 - stems.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "take 1/bass.wav",
            "take 1/metadata.json",
            "take 1/vocals.wav",
        ]
        for stem, data in STEMS.items():
            assert archive.read(f"take 1/{stem}.wav") == data
        metadata = json.loads(archive.read("take 1/metadata.json"))
        assert metadata["stems"]["vocals"]["stem_url"] == "vocals.wav"
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}


def test_zip_head_tells_its_length(running: RunningService):
    _, output_id = make_output(running, make_recording(running))
    path = f"/api/outputs/{output_id}/zip"

    head = running.client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(running.client.get(path).content)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../../etc", "_.._etc"),
        ("/abs", "_abs"),
        ("C:\\x", "C__x"),
        ("Über 🎸", "Über 🎸"),
        ("NUL.wav", "_NUL.wav"),
        ("a\nb", "a b"),
    ],
)
def test_zip_names_stay_inside_one_folder(tmp_path: Path, name: str, folder: str):
    put_files(tmp_path, {"vocals": 3})

    data = b"".join(Archive(store_in(str(tmp_path)), contents_of({"vocals": 3}, name)))

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == [f"{folder}/vocals.wav", f"{folder}/metadata.json"]


@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs unzip")
def test_zip_is_what_info_zip_reads(tmp_path: Path):
    put_files(tmp_path, {"vocals": 100_000, "bass": 0})
    file = tmp_path / "take.zip"
    contents = contents_of({"vocals": 100_000, "bass": 0}, "Über")
    file.write_bytes(b"".join(Archive(store_in(str(tmp_path)), contents)))

    tested = subprocess.run(["unzip", "-t", file], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_zip_of_a_stem_that_became_shorter_breaks_off(running: RunningService):
    job, output_id = make_output(running, make_recording(running), stems={"bass": b"x" * 3_000_000})
    os.truncate(running.store_folder / folder_of(job).key("bass.wav"), 2_000_000)

    with pytest.raises(httpx.RemoteProtocolError):
        running.client.get(f"/api/outputs/{output_id}/zip")
    assert running.client.get("/livez").status_code == 200


def test_zip_of_a_client_that_goes_away_is_not_read_on(running: RunningService):
    job, output_id = make_output(
        running, make_recording(running), stems={"bass": b"x" * 30_000_000}
    )
    file = running.store_folder / folder_of(job).key("bass.wav")

    with open_connection(running, f"/api/outputs/{output_id}/zip") as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        await_that(lambda: is_open(file))
    await_that(lambda: not is_open(file))


@pytest.mark.slow
def test_zip_beyond_4_gb_is_valid(tmp_path: Path):
    lengths = {"vocals": 10, "bass": (4 << 30) + 123, "drums": 5_000_000}
    put_files(tmp_path, lengths)
    archive = Archive(store_in(str(tmp_path)), contents_of(lengths))
    file = tmp_path / "take.zip"

    write_sparsely(file, iter(archive))

    assert file.stat().st_size == len(archive)
    with zipfile.ZipFile(file) as read:
        assert read.testzip() is None
        assert {each.filename: each.file_size for each in read.infolist()[:3]} == {
            f"take 1/{stem}.wav": length for stem, length in lengths.items()
        }


@pytest.mark.slow
def test_zip_takes_little_memory_however_long_it_is(tmp_path: Path):
    lengths = {"vocals": 800_000_000, "bass": 400_000_000}
    put_files(tmp_path, lengths | {"small": 1})

    result = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), json.dumps(lengths)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )

    assert int(result.stdout) < GROWN_LIMIT_MB


def write_sparsely(path: Path, chunks: Iterator[bytes]) -> None:
    """Write a file; zeros take no room."""
    zeros = bytes(1 << 20)
    with path.open("wb") as file:
        for chunk in chunks:
            if chunk == zeros[: len(chunk)]:
                file.seek(len(chunk), os.SEEK_CUR)
            else:
                file.write(chunk)
        file.truncate()
