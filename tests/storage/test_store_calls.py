"""Calls to stores are counted as their callers see them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from stemset.errors import ObjectExists, ObjectNotFound, StorageRefused, StorageUnavailable
from stemset.storage.calls import OPERATIONS, calls_failed, calls_made
from stemset.storage.presigned_upload import PresignedUploads
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

CLOSED = StoreSettings(
    kind="s3",
    bucket="band",
    endpoint="http://127.0.0.1:9",
    region="auto",
    access_key_id="id",
    secret_access_key="key",  # noqa: S106 - of nothing
    retry_s=0.2,
)


def changed(before: Mapping, after: Mapping) -> dict:
    return {
        key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key)
    }


def call_all(store: Store, path: Path) -> None:
    """Make each call once."""
    path.write_bytes(b"x")
    store.write("a/b", b"x")
    store.create("a/c", b"x")
    store.head("a/b")
    store.read("a/b")
    store.upload(path, "a/d")
    store.download("a/b", path)
    assert b"".join(store.stream("a/b")) == b"x"
    assert len(list(store.list_below("a"))) == 3
    store.delete(["a/b"])


def test_calls_of_every_kind_are_counted(tmp_path: Path):
    store = open_store(StoreSettings("memory", ""))
    before, failed = calls_made(), calls_failed()

    call_all(store, tmp_path / "file")

    assert changed(before, calls_made()).keys() == set(OPERATIONS) - {"multipart"}
    assert calls_failed() == failed


def test_calls_that_fail_are_counted_by_operation_and_code(tmp_path: Path):
    store = open_store(CLOSED)
    path = tmp_path / "file"
    path.write_bytes(b"x")
    before = calls_failed()

    for call in (
        lambda: store.head("a"),
        lambda: store.read("a"),
        lambda: store.write("a", b""),
        lambda: store.create("a", b""),
        lambda: store.download("a", path),
        lambda: store.stream("a"),
        lambda: store.upload(path, "a"),
        lambda: list(store.list_below("a")),
        lambda: store.delete(["a"]),
        lambda: PresignedUploads(CLOSED).begin("inputs/band/a.wav"),
    ):
        with pytest.raises(StorageUnavailable):
            call()

    found = changed(before, calls_failed())
    assert found.keys() >= {(operation, "storage_unavailable") for operation in OPERATIONS}


def test_stream_that_breaks_off_is_a_failure(tmp_path: Path):
    store = open_store(StoreSettings("folder", str(tmp_path)))
    store.write("a", b"x" * 1_000_000)
    before = calls_failed()

    chunks = store.stream("a")
    next(chunks)
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(Exception, match="were expected"):
        list(chunks)
    assert changed(before, calls_failed()) == {("stream", "object_corrupt"): 1}


def test_objects_that_are_there_or_are_not_are_answers():
    store = open_store(StoreSettings("memory", ""))
    store.write("a", b"x")
    before = calls_failed()

    with pytest.raises(ObjectNotFound):
        store.read("b")
    with pytest.raises(ObjectExists):
        store.create("a", b"y")

    assert calls_failed() == before


@pytest.mark.s3
def test_keys_that_the_bucket_refuses_are_counted(bucket_settings: StoreSettings):
    store = open_store(replace(bucket_settings, secret_access_key="another"))  # noqa: S106
    before = calls_failed()

    with pytest.raises(StorageRefused):
        store.read("a")

    assert changed(before, calls_failed()) == {("read", "storage_refused"): 1}
