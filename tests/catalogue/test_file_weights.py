"""Models whose weights are published as files: installed whole, or not at all."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_web import Answer, FaultyWeb, serve_web

from stemset.catalogue.entries import find
from stemset.catalogue.entry import Checkpoint, Files, ModelEntry, PublishedFile
from stemset.catalogue.installation import InstallProgress, install
from stemset.catalogue.weights import installed, load_files
from stemset.errors import (
    InputNotFound,
    ModelCorrupt,
    ModelDownloadFailed,
    ModelNotInstalled,
    NoSpace,
)

DRUMS, REST = b"drums" * 20_000, b"all others" * 10_000


@pytest.fixture
def webs() -> Iterator[tuple[FaultyWeb, FaultyWeb]]:
    with serve_web(DRUMS) as drums, serve_web(REST) as rest:
        yield drums, rest


@pytest.fixture
def bag(webs: tuple[FaultyWeb, FaultyWeb]) -> ModelEntry:
    """A model of two networks, the second published in two forms."""
    drums, rest = webs
    return replace(
        find("htdemucs"),
        source=Files(
            (
                Checkpoint(("drums",), (published(drums, "drums.safetensors", DRUMS),)),
                Checkpoint(
                    ("bass", "other", "vocals"),
                    (
                        published(rest, "rest.safetensors", REST),
                        PublishedFile("https://cdn.invalid/rest-1234.th", sha256(b"th")[:8]),
                    ),
                ),
            )
        ),
    )


@pytest.fixture(autouse=True)
def _no_other_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing here"))


def published(web: FaultyWeb, name: str, content: bytes) -> PublishedFile:
    return PublishedFile(web.url(path=name), sha256(content), len(content))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def contents(entry: ModelEntry, cache: Path, *slots: str) -> list[bytes]:
    return [file.path.read_bytes() for file in load_files(entry, cache, slots or None)]


def test_install_fetches_every_file_and_records_their_hashes(
    bag: ModelEntry, tmp_path: Path
) -> None:
    reports: list[InstallProgress] = []

    model = install(bag, tmp_path, on_progress=reports.append)

    assert dict(model.files) == {
        "drums.safetensors": sha256(DRUMS),
        "rest.safetensors": sha256(REST),
    }
    assert model.size_bytes == len(DRUMS) + len(REST)
    assert contents(bag, tmp_path) == [DRUMS, REST]
    assert {path.name for path in tmp_path.iterdir()} == {"htdemucs", "htdemucs.lock"}
    arrived = [report.done_bytes or 0 for report in reports]
    assert arrived == sorted(arrived)
    assert arrived[-1] == model.size_bytes
    assert {report.total_bytes for report in reports} == {model.size_bytes}


def test_only_files_of_wanted_slots_are_given(bag: ModelEntry, tmp_path: Path) -> None:
    install(bag, tmp_path)

    assert contents(bag, tmp_path, "drums") == [DRUMS]
    assert contents(bag, tmp_path, "vocals", "bass") == [REST]


def test_install_that_broke_off_goes_on_with_what_is_there(
    bag: ModelEntry, webs: tuple[FaultyWeb, FaultyWeb], tmp_path: Path
) -> None:
    drums, rest = webs
    rest.answers.extend([Answer(sent_bytes=40_000), Answer(status=403)])
    with pytest.raises(ModelDownloadFailed, match="403"):
        install(bag, tmp_path)
    assert installed(bag, tmp_path) is None

    install(bag, tmp_path)

    assert contents(bag, tmp_path) == [DRUMS, REST]
    assert drums.ranges == [None]
    assert rest.ranges == [None, "bytes=40000-", "bytes=40000-"]


def test_wrong_bytes_are_refused_and_the_next_install_works(
    bag: ModelEntry, webs: tuple[FaultyWeb, FaultyWeb], tmp_path: Path
) -> None:
    webs[1].answers.append(Answer(body=REST[::-1]))
    with pytest.raises(ModelCorrupt, match=sha256(REST)):
        install(bag, tmp_path)
    with pytest.raises(ModelNotInstalled):
        load_files(bag, tmp_path)

    install(bag, tmp_path)

    assert contents(bag, tmp_path) == [DRUMS, REST]


def test_files_of_a_folder_are_taken_without_a_request(
    bag: ModelEntry, webs: tuple[FaultyWeb, FaultyWeb], tmp_path: Path
) -> None:
    given = tmp_path / "usb stick"
    given.mkdir()
    (given / "drums.safetensors").write_bytes(DRUMS)
    (given / "rest-1234.th").write_bytes(b"th")

    install(bag, tmp_path / "cache", folder=given)

    assert contents(bag, tmp_path / "cache") == [DRUMS, b"th"]
    assert [web.asked for web in webs] == [[], []]
    assert (given / "drums.safetensors").read_bytes() == DRUMS


def test_link_into_another_tools_cache_becomes_a_file_of_our_own(
    bag: ModelEntry, tmp_path: Path
) -> None:
    """A hub's cache names blobs by links, and removing one there must not break a model here."""
    given = tmp_path / "snapshot"
    given.mkdir()
    for name, content in (("drums.safetensors", DRUMS), ("rest.safetensors", REST)):
        blob = tmp_path / f"blob of {name}"
        blob.write_bytes(content)
        (given / name).symlink_to(blob)

    install(bag, tmp_path / "cache", folder=given)
    for blob in tmp_path.glob("blob of *"):
        blob.unlink()

    assert contents(bag, tmp_path / "cache") == [DRUMS, REST]


def test_full_disk_is_told_how_much_room_the_files_need(bag: ModelEntry, small_disk: Path) -> None:
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize - len(DRUMS) * 3 // 2))

    with pytest.raises(NoSpace, match=r"is full: make room for 1 MB, or"):
        install(bag, small_disk)

    (small_disk / "filler").unlink()
    install(bag, small_disk)
    assert contents(bag, small_disk) == [DRUMS, REST]


def test_folder_that_is_missing_is_refused(bag: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="There is no folder"):
        install(bag, tmp_path, folder=tmp_path / "none")


def test_wheel_for_a_model_of_files_is_refused_with_the_files_names(
    bag: ModelEntry, tmp_path: Path
) -> None:
    with pytest.raises(InputNotFound, match=r"drums\.safetensors, rest\.safetensors or rest-1234"):
        install(bag, tmp_path, wheel=tmp_path / "some.whl")


def test_damaged_file_is_refused_where_it_is_needed(bag: ModelEntry, tmp_path: Path) -> None:
    install(bag, tmp_path)
    (tmp_path / "htdemucs" / "rest.safetensors").write_bytes(REST[:-1] + b"?")

    assert contents(bag, tmp_path, "drums") == [DRUMS]
    with pytest.raises(ModelCorrupt, match=r"rest\.safetensors is missing or damaged"):
        load_files(bag, tmp_path)

    install(bag, tmp_path)
    assert contents(bag, tmp_path) == [DRUMS, REST]


def test_record_says_where_the_files_came_from(bag: ModelEntry, tmp_path: Path) -> None:
    install(bag, tmp_path)

    record = json.loads((tmp_path / "htdemucs" / "installed.json").read_text("utf-8"))
    assert record["source"] == bag.source.address
    assert record["source_sha256"] == bag.source.sha256
    assert record["licence"] == "NONE"
    assert installed(bag, tmp_path) is not None
    assert installed(find("htdemucs"), tmp_path) is None
