"""Putting finished files into the store."""

from pathlib import Path

import pytest
from small_disks import mounted

from stemset.errors import InvalidKey, NoSpace
from stemset.storage.placing import place
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

KEY = "inputs/h4n/练习 a'b (1) – ü.wav"


@pytest.fixture
def bucket(tmp_path: Path) -> StoreSettings:
    return StoreSettings("folder", str(tmp_path / "bucket"))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.write_bytes(b"abc" * 1000)
    return path


def test_file_in_a_folder_is_not_copied_and_lies_where_the_store_looks(
    bucket: StoreSettings, spool: Path, tmp_path: Path
):
    store = open_store(bucket)
    place(store, bucket, spool, KEY)

    assert (tmp_path / "bucket" / KEY).stat().st_ino == spool.stat().st_ino
    spool.unlink()
    assert store.read(KEY) == b"abc" * 1000
    assert [info.key for info in store.list_below("inputs")] == [KEY]


def test_file_that_lies_there_already_stays_and_leaves_no_other_name(
    bucket: StoreSettings, spool: Path, tmp_path: Path
):
    store = open_store(bucket)
    for _ in range(2):
        place(store, bucket, spool, KEY)

    assert [path.name for path in (tmp_path / "bucket/inputs/h4n").iterdir()] == [Path(KEY).name]


def test_file_takes_the_place_of_another(bucket: StoreSettings, spool: Path):
    store = open_store(bucket)
    store.write(KEY, b"other")

    place(store, bucket, spool, KEY)

    assert store.read(KEY) == spool.read_bytes()


def test_file_on_another_disk_is_copied(bucket: StoreSettings, spool: Path, tmp_path: Path):
    with mounted(tmp_path / "disk", "300k") as disk:
        other = disk / "spool"
        other.write_bytes(spool.read_bytes())
        store = open_store(bucket)

        place(store, bucket, other, KEY)

        assert store.read(KEY) == spool.read_bytes()
        assert other.exists()


def test_file_that_has_no_room_is_no_space_and_leaves_nothing(tmp_path: Path, spool: Path):
    spool.write_bytes(bytes(1_000_000))
    with mounted(tmp_path / "disk", "300k") as disk:
        bucket = StoreSettings("folder", str(disk))
        store = open_store(bucket)

        with pytest.raises(NoSpace):
            place(store, bucket, spool, KEY)

        assert list(store.list_below("inputs")) == []


@pytest.mark.parametrize("key", ["../spool", "outputs/a/b", "inputs/h4n/../x", "inputs/h4n/.."])
def test_key_that_is_no_recordings_is_refused(bucket: StoreSettings, spool: Path, key: str):
    with pytest.raises(InvalidKey):
        place(open_store(bucket), bucket, spool, key)


def test_file_in_memory_store_is_copied(spool: Path):
    settings = StoreSettings("memory")
    store = open_store(settings)

    place(store, settings, spool, KEY)

    assert store.read(KEY) == spool.read_bytes()
