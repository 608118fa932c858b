import hashlib
import os
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stemset.errors import (
    InputUnreadable,
    InvalidKey,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    OutputUnwritable,
)
from stemset.storage._obstore import IN_FLIGHT, PART_BYTES
from stemset.storage.keys import input_key, safe_filename
from stemset.storage.store import Store

MIB = 1 << 20
SHA256 = "ab" * 32


def file_of(path: Path, length: int) -> Path:
    path.write_bytes(os.urandom(length))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def keys_below(store: Store, prefix: str) -> list[str]:
    return sorted(info.key for info in store.list_below(prefix))


def test_object_that_was_written_is_read(store: Store) -> None:
    store.write("outputs/h4n/take/metadata.json", b"{}")

    assert store.read("outputs/h4n/take/metadata.json") == b"{}"


def test_object_that_was_written_again_has_the_new_content(store: Store) -> None:
    store.write("a/b", b"old")
    store.write("a/b", b"new content")

    assert store.read("a/b") == b"new content"


def test_head_tells_length_time_and_a_tag_that_changes(store: Store) -> None:
    store.write("a/b", b"12345")
    first = store.head("a/b")
    store.write("a/b", b"54321")
    second = store.head("a/b")

    assert (first.key, first.bytes) == ("a/b", 5)
    assert abs(first.modified - datetime.now(UTC)) < timedelta(minutes=1)
    assert first.etag != second.etag


@pytest.mark.parametrize("call", ["head", "read"])
def test_object_that_is_not_there_is_named(store: Store, call: str) -> None:
    with pytest.raises(ObjectNotFound, match="a/nowhere"):
        getattr(store, call)("a/nowhere")


def test_read_of_a_longer_object_than_expected_is_refused(store: Store) -> None:
    store.write("a/b", b"x" * 100)

    assert len(store.read("a/b", limit=100)) == 100
    with pytest.raises(ObjectCorrupt, match="100 bytes; at most 99"):
        store.read("a/b", limit=99)


def test_create_where_nothing_is_writes(store: Store) -> None:
    store.create("a/manifest.json", b"first")

    assert store.read("a/manifest.json") == b"first"


def test_create_with_the_same_content_is_the_same_write(store: Store) -> None:
    store.create("a/manifest.json", b"first")
    store.create("a/manifest.json", b"first")

    assert store.read("a/manifest.json") == b"first"


def test_create_with_other_content_changes_nothing(store: Store) -> None:
    store.create("a/manifest.json", b"first")

    with pytest.raises(ObjectExists, match=r"a/manifest\.json"):
        store.create("a/manifest.json", b"other")
    assert store.read("a/manifest.json") == b"first"


def test_create_of_eight_at_once_lets_one_win(store: Store) -> None:
    def create(content: bytes) -> bool:
        try:
            store.create("a/claim.json", content)
        except ObjectExists:
            return False
        return True

    contents = [b"writer %d" % number for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(create, contents))

    assert won.count(True) == 1
    assert store.read("a/claim.json") == contents[won.index(True)]


@pytest.mark.parametrize(
    "length", [0, 1, PART_BYTES, PART_BYTES + 1, (IN_FLIGHT + 1) * PART_BYTES + 12_345]
)
def test_file_that_was_uploaded_comes_back(store: Store, tmp_path: Path, length: int) -> None:
    source = file_of(tmp_path / "source", length)
    up: list[int] = []
    down: list[int] = []

    store.upload(source, "outputs/h4n/take/1/vocals.flac", on_bytes=up.append)
    store.download("outputs/h4n/take/1/vocals.flac", tmp_path / "copy", on_bytes=down.append)

    assert sha256(tmp_path / "copy") == sha256(source)
    assert sum(up) == sum(down) == length
    assert store.head("outputs/h4n/take/1/vocals.flac").bytes == length


def test_upload_over_an_object_replaces_it(store: Store, tmp_path: Path) -> None:
    store.write("a/b", b"old and rather long")
    (tmp_path / "source").write_bytes(b"new")

    store.upload(tmp_path / "source", "a/b")

    assert store.read("a/b") == b"new"


def test_upload_of_a_file_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="nowhere"):
        store.upload(tmp_path / "nowhere", "a/b")
    assert keys_below(store, "a") == []


def test_upload_that_stops_in_the_middle_leaves_nothing(store: Store, tmp_path: Path) -> None:
    source = file_of(tmp_path / "source", (IN_FLIGHT + 2) * PART_BYTES)

    def shorten(_: int) -> None:
        os.truncate(source, 0)

    with pytest.raises(InputUnreadable, match="became shorter"):
        store.upload(source, "a/b", on_bytes=shorten)
    assert keys_below(store, "a") == []


@pytest.mark.parametrize("there", [0, 1, 3 * MIB, 5 * MIB - 1, 5 * MIB])
def test_download_goes_on_where_it_was(store: Store, tmp_path: Path, there: int) -> None:
    source = file_of(tmp_path / "source", 5 * MIB)
    store.upload(source, "a/b")
    part = tmp_path / "part"
    part.write_bytes(source.read_bytes()[:there] + b"left of a broken write")
    moved: list[int] = []

    store.download("a/b", part, offset=there, on_bytes=moved.append)

    assert sha256(part) == sha256(source)
    assert sum(moved) == 5 * MIB - there


def test_download_beyond_the_end_is_corrupt(store: Store, tmp_path: Path) -> None:
    store.write("a/b", b"123")
    (tmp_path / "part").write_bytes(b"12345")

    with pytest.raises(ObjectCorrupt, match="3 bytes, fewer than 5"):
        store.download("a/b", tmp_path / "part", offset=5)


@pytest.mark.parametrize("offset", [0, 3])
def test_download_of_nothing_is_named(store: Store, tmp_path: Path, offset: int) -> None:
    (tmp_path / "part").write_bytes(b"123")

    with pytest.raises(ObjectNotFound, match="a/nowhere"):
        store.download("a/nowhere", tmp_path / "part", offset=offset)


def test_download_to_where_no_file_can_be_is_named(store: Store, tmp_path: Path) -> None:
    store.write("a/b", b"123")

    with pytest.raises(OutputUnwritable, match="no-folder"):
        store.download("a/b", tmp_path / "no-folder" / "file")


def test_stream_is_the_object(store: Store, tmp_path: Path) -> None:
    source = file_of(tmp_path / "source", 3 * MIB + 1)
    store.upload(source, "a/b")

    assert b"".join(store.stream("a/b")) == source.read_bytes()


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, None),
        (0, 1),
        (0, 1000),
        (1, None),
        (1, 998),
        (500, 500),
        (999, 1),
        (999, None),
        (1000, None),
        (1000, 0),
        (0, 0),
        (7, 0),
    ],
)
def test_stream_of_a_range_is_that_range(store: Store, offset: int, length: int | None) -> None:
    data = os.urandom(1000)
    store.write("a/b", data)

    found = b"".join(store.stream("a/b", offset=offset, length=length))

    assert found == data[offset : None if length is None else offset + length]


def test_stream_of_an_empty_object_is_empty(store: Store) -> None:
    store.write("a/b", b"")

    assert list(store.stream("a/b")) == []
    assert list(store.stream("a/b", length=0)) == []


@pytest.mark.parametrize(("offset", "length"), [(4, None), (4, 0), (3, 1), (0, 4), (2, 2), (9, 9)])
def test_stream_of_a_range_beyond_the_end_is_corrupt(
    store: Store, offset: int, length: int | None
) -> None:
    store.write("a/b", b"123")

    with pytest.raises(ObjectCorrupt, match=f"3 bytes, fewer than {offset + (length or 0)}"):
        store.stream("a/b", offset=offset, length=length)


@pytest.mark.parametrize(("offset", "length"), [(0, None), (3, None), (0, 0), (3, 5)])
def test_stream_of_nothing_is_named(store: Store, offset: int, length: int | None) -> None:
    with pytest.raises(ObjectNotFound, match="a/nowhere"):
        store.stream("a/nowhere", offset=offset, length=length)


def test_stream_that_is_closed_early_leaves_the_store_usable(store: Store, tmp_path: Path) -> None:
    store.upload(file_of(tmp_path / "source", 5 * MIB), "a/b")

    for _ in range(20):
        chunks = store.stream("a/b")
        next(chunks)
        del chunks

    assert store.head("a/b").bytes == 5 * MIB


def test_list_below_a_folder_holds_no_neighbour(store: Store) -> None:
    for key in ("take/1/a", "take/1/b/c", "take/10/a", "take/1.json", "take2/1/a"):
        store.write(key, b"12")

    assert keys_below(store, "take/1") == ["take/1/a", "take/1/b/c"]
    assert keys_below(store, "take") == ["take/1.json", "take/1/a", "take/1/b/c", "take/10/a"]
    assert keys_below(store, "nowhere") == []
    assert {info.bytes for info in store.list_below("take")} == {2}


def test_list_below_is_whole_beyond_one_page_of_s3(store: Store) -> None:
    keys = [f"many/{number:04}" for number in range(1005)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda key: store.write(key, b""), keys))

    assert keys_below(store, "many") == keys
    store.delete(keys)
    assert keys_below(store, "many") == []


def test_delete_removes_what_is_there_and_minds_nothing_else(store: Store) -> None:
    for key in ("a/1", "a/2", "a/3"):
        store.write(key, b"")

    store.delete(["a/1", "a/nowhere", "a/3"])
    store.delete([])
    store.delete(["a/1"])

    assert keys_below(store, "a") == ["a/2"]


@pytest.mark.parametrize("key", ["../outside", "a/../b", "a//b", "/a/./b"])
def test_key_that_is_no_path_is_refused(store: Store, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.write(key, b"")


def odd_names() -> list[str]:
    """Names with every character of the first 0x250 that a recording's may have, and rarer ones."""
    plain = [chr(code) for code in range(0x250)]
    names = [f"a{each}b.wav" for each in plain] + [
        "take 1 + 2 & 3 = 6.wav",
        "%41.wav",
        "a\u0308 is normalised.wav",
        "日本語のテイク.flac",
        "🎸🥁 live (final) [v2] {x} ~^`'!$@;,.ogg",
        "עברית.wav",
        "x" * 196 + ".wav",
        "é" * 98 + ".wav",
    ]
    return [
        name for name in names if safe_filename(name, SHA256) == unicodedata.normalize("NFC", name)
    ]


def test_odd_names_are_keys_of_their_own(store: Store) -> None:
    keys = sorted({input_key("h4n", safe_filename(name, SHA256)) for name in odd_names()})
    assert len(keys) > 400
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda key: store.write(key, key.encode()), keys))

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(store.read, keys)) == [key.encode() for key in keys]
    assert keys_below(store, "inputs/h4n") == keys
    store.delete(keys)
    assert keys_below(store, "inputs/h4n") == []


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system normalises names")
def test_odd_name_that_is_long_can_be_uploaded_and_fetched(store: Store, tmp_path: Path) -> None:
    key = input_key("h4n", "é" * 98 + ".wav")
    source = file_of(tmp_path / "source", PART_BYTES + 1)

    store.upload(source, key)
    store.download(key, tmp_path / "copy")

    assert sha256(tmp_path / "copy") == sha256(source)
