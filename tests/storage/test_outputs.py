import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stemset.errors import ObjectCorrupt
from stemset.storage._obstore import PART_BYTES
from stemset.storage.keys import MANIFEST, AttemptFolder, attempt_folder
from stemset.storage.outputs import (
    Manifest,
    attempts,
    check,
    find_whole,
    parse_manifest,
    publish,
    read_manifest,
)
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

JOB_ID = "0123456789abcdef"
NAME = "take_12345678"


@pytest.fixture
def store() -> Store:
    return open_store(StoreSettings("memory"))


def folder(attempt: int = 1, job_id: str = JOB_ID) -> AttemptFolder:
    return attempt_folder("h4n", NAME, job_id, attempt)


def manifest(attempt: int = 1, **metadata: Any) -> Manifest:
    stem = {
        "stem_url": "vocals.opus",
        "waveform_url": "vocals.png",
        "companion_urls": ["vocals.opus.index.json"],
        "peaks_urls": ["vocals.peaks-256.dat"],
        "measured_lufs": -20.0,
    }
    facts = {
        "fingerprint": "f" * 64,
        "recording": {"sha256": "0" * 64},
        "stems": {"vocals": stem},
        "files": {"vocals.opus": {"bytes": 5, "sha256": "1" * 64}},
    }
    return Manifest(JOB_ID, attempt, {**facts, **metadata})


def make(store: Store, attempt: int, *, data: bytes = b"stems") -> None:
    """An attempt as a worker leaves it."""
    store.create(folder(attempt).key("claim.json"), b"{}")
    store.write(folder(attempt).key("vocals.opus"), data)
    store.create(folder(attempt).key(MANIFEST), manifest(attempt).to_bytes())


def test_manifest_read_back_is_the_one_that_was_written(store: Store) -> None:
    make(store, 1)

    assert read_manifest(store, folder()) == manifest()
    assert read_manifest(store, folder(2)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"job_id": "x", "attempt": 1, "metadata": {"files": 3}}',
        b'{"etags": [1]}',
    ],
)
def test_manifest_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ObjectCorrupt):
        parse_manifest(data)


def test_attempts_of_a_job_come_in_order_and_without_those_of_other_jobs(store: Store) -> None:
    for number in (10, 2, 1):
        store.create(folder(number).key("claim.json"), b"{}")
    store.create(folder(1, "ffffffff").key("claim.json"), b"{}")
    store.write(f"outputs/h4n/{NAME}/metadata.json", b"{}")

    assert [each.number for each in attempts(store, "h4n", NAME, JOB_ID)] == [1, 2, 10]


def test_find_whole_passes_over_attempts_that_do_not_check_out(store: Store) -> None:
    store.create(folder(1).key("claim.json"), b"{}")  # killed
    make(store, 2, data=b"short!")  # another length than its manifest says
    store.write(folder(3).key(MANIFEST), b"not a manifest")
    make(store, 4)

    found = find_whole(store, "h4n", NAME, JOB_ID, "f" * 64)

    assert found is not None
    assert found[0].number == 4
    assert find_whole(store, "h4n", NAME, JOB_ID, "e" * 64) is None


def test_check_names_what_is_missing_and_what_is_short(store: Store) -> None:
    make(store, 1)
    store.write(folder().key("vocals.opus"), b"stem")
    assert check(store, folder(), manifest()) == ["vocals.opus has 4 bytes, not 5."]

    store.delete([folder().key("vocals.opus")])
    assert check(store, folder(), manifest()) == ["vocals.opus is missing."]


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.s3)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return open_store(request.getfixturevalue("bucket_settings"))
    return open_store(StoreSettings(request.param, str(tmp_path / "bucket")))


@pytest.mark.parametrize("length", [1, PART_BYTES + 1])
def test_check_sees_a_file_that_was_replaced_by_one_of_its_length(
    any_store: Store, tmp_path: Path, length: int
) -> None:
    made = upload_stem(any_store, tmp_path / "stem", b"s" * length)

    before = check(any_store, folder(), made, as_put=True)
    (tmp_path / "stem").write_bytes(b"t" * length)
    any_store.upload(tmp_path / "stem", folder().key("vocals.opus"))

    assert before == []
    assert check(any_store, folder(), made) == []
    assert check(any_store, folder(), made, as_put=True) == [
        "vocals.opus has another content than was put."
    ]
    assert find_whole(any_store, "h4n", NAME, JOB_ID, "f" * 64) is None


def test_check_takes_a_file_whose_tag_alone_is_another(store: Store, tmp_path: Path) -> None:
    made = upload_stem(store, tmp_path / "stem", b"stems")

    store.write(folder().key("vocals.opus"), b"stems")  # as in a bucket that was copied

    assert store.head(folder().key("vocals.opus")).etag != made.etags["vocals.opus"]
    assert check(store, folder(), made, as_put=True) == []


def test_manifest_of_an_older_version_has_no_tags_and_is_taken(store: Store) -> None:
    make(store, 1)
    facts = json.loads(manifest().to_bytes())
    del facts["etags"]

    old = parse_manifest(json.dumps(facts).encode())

    assert old.etags == {}
    assert check(store, folder(), old, as_put=True) == []


def upload_stem(store: Store, path: Path, data: bytes) -> Manifest:
    """An attempt whose one file is put as a worker puts it."""
    path.write_bytes(data)
    etag = store.upload(path, folder().key("vocals.opus"))
    assert etag is not None
    facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    made = replace(manifest(files={"vocals.opus": facts}), etags={"vocals.opus": etag})
    store.create(folder().key(MANIFEST), made.to_bytes())
    return made


def test_publish_points_every_url_at_the_winning_attempt(store: Store) -> None:
    publish(store, folder(2), manifest(2))

    metadata = json.loads(store.read(f"outputs/h4n/{NAME}/metadata.json"))
    assert metadata["attempt"] == "01234567-2"
    assert metadata["stems"]["vocals"] == {
        "stem_url": "01234567-2/vocals.opus",
        "waveform_url": "01234567-2/vocals.png",
        "companion_urls": ["01234567-2/vocals.opus.index.json"],
        "peaks_urls": ["01234567-2/vocals.peaks-256.dat"],
        "measured_lufs": -20.0,
    }
    assert list(metadata["files"]) == ["01234567-2/vocals.opus"]
