"""A server that dies, freezes, is slow or answers wrongly: what a store's caller sees of it."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from r2_proxy import Kind, R2Proxy
from s3_server import S3Server

from stemset.errors import ObjectCorrupt, ObjectExists, StorageUnavailable
from stemset.storage import _opening
from stemset.storage._obstore import PART_BYTES
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

pytestmark = [pytest.mark.s3, pytest.mark.alone]

LONG = 6 * PART_BYTES + 1
FROZEN_S = 5.0


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(LONG))
    return path


CALLS: dict[str, Callable[[Store, Path], object]] = {
    "head": lambda store, _: store.head("there"),
    "read": lambda store, _: store.read("there"),
    "write": lambda store, _: store.write("new", b"content"),
    "create": lambda store, _: store.create("new", b"content"),
    "list": lambda store, _: list(store.list_below("")),
    "delete": lambda store, _: store.delete(["there"]),
    "upload": lambda store, source: store.upload(source, "new"),
    "download": lambda store, source: store.download("there", source.with_name("copy")),
}


@contextmanager
def during(action: Callable[[], None]) -> Iterator[None]:
    """Do something beside; it is done when this ends."""
    thread = threading.Thread(target=action)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def thaw_later(server: S3Server, after_s: float) -> None:
    time.sleep(after_s)
    server.thaw()


@pytest.mark.slow
@pytest.mark.parametrize("call", ["read", "create", "upload", "download"])
def test_gateway_frozen_for_5_s_is_ridden_out(
    bucket_settings: StoreSettings, s3_server: S3Server, source: Path, call: str
) -> None:
    store = open_store(bucket_settings)
    store.write("there", b"content")
    begun = time.monotonic()
    s3_server.freeze()

    with during(lambda: thaw_later(s3_server, FROZEN_S)):
        CALLS[call](store, source)

    assert time.monotonic() - begun >= FROZEN_S


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_gateway_frozen_for_longer_than_silence_is_allowed_is_ridden_out(
    bucket_settings: StoreSettings,
    s3_server: S3Server,
    source: Path,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_opening, "_SILENCE_S", 0.5)
    monkeypatch.setattr(_opening, "_UPLOAD_S", 1.0)
    store = open_store(bucket_settings)
    store.write("there", b"content")
    s3_server.freeze()

    with during(lambda: thaw_later(s3_server, 1.5)):
        CALLS[call](store, source)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_gateway_killed_and_started_again_is_ridden_out(
    bucket_settings: StoreSettings, s3_server: S3Server, source: Path, call: str
) -> None:
    store = open_store(bucket_settings)
    store.write("there", b"content")
    s3_server.stop_gateway()

    with during(s3_server.start_gateway):
        CALLS[call](store, source)


@pytest.mark.slow
def test_gateway_killed_in_the_middle_of_transfers_is_ridden_out(
    bucket_settings: StoreSettings, s3_server: S3Server, source: Path, tmp_path: Path
) -> None:
    store = open_store(bucket_settings)
    restarts = 0

    def restart_once(_: int) -> None:
        nonlocal restarts
        restarts += 1
        if restarts == 1:
            s3_server.stop_gateway()
            s3_server.start_gateway()

    store.upload(source, "a", on_bytes=restart_once)
    restarts = 0
    store.download("a", tmp_path / "copy", on_bytes=restart_once)

    assert sha256(tmp_path / "copy") == sha256(source)


@pytest.mark.parametrize("call", CALLS)
def test_gateway_dead_for_longer_than_is_retried_is_an_error_in_time(
    bucket_settings: StoreSettings, s3_server: S3Server, source: Path, call: str
) -> None:
    store = open_store(replace(bucket_settings, retry_s=1.0))
    store.write("there", b"content")
    s3_server.stop_gateway()
    begun = time.monotonic()

    with pytest.raises(StorageUnavailable):
        CALLS[call](store, source)

    assert 1.0 <= time.monotonic() - begun < 8.0


@pytest.mark.parametrize("call", CALLS)
def test_gateway_frozen_for_good_is_an_error_in_time(
    bucket_settings: StoreSettings,
    s3_server: S3Server,
    source: Path,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_opening, "_SILENCE_S", 1.0)
    monkeypatch.setattr(_opening, "_UPLOAD_S", 1.0)
    store = open_store(replace(bucket_settings, retry_s=1.0))
    store.write("there", b"content")
    s3_server.freeze()
    begun = time.monotonic()

    with pytest.raises(StorageUnavailable):
        CALLS[call](store, source)

    assert 1.0 <= time.monotonic() - begun < 8.0


def test_upload_on_a_slow_uplink_is_not_taken_for_silence(
    r2_settings: StoreSettings, r2_proxy: R2Proxy, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_opening, "_SILENCE_S", 1.0)
    store = open_store(r2_settings)
    r2_proxy.fails(Kind.SLOW_UPLINK, "PUT", "partNumber", times=2)

    store.upload(source, "a")

    assert r2_proxy.count("PUT") == len(range(0, LONG, PART_BYTES))


@pytest.mark.parametrize("call", CALLS)
def test_store_that_asks_to_slow_down_is_asked_again(
    r2_settings: StoreSettings, r2_proxy: R2Proxy, source: Path, call: str
) -> None:
    store = open_store(r2_settings)
    store.write("there", b"content")
    for method in ("HEAD", "GET", "PUT", "POST"):
        r2_proxy.fails(Kind.SLOW_DOWN, method, times=3)

    CALLS[call](store, source)

    assert sum(fault.times for fault in r2_proxy.faults) <= 9


def test_key_that_is_written_too_often_waits_its_turn(
    r2_settings: StoreSettings, r2_proxy: R2Proxy
) -> None:
    store = open_store(r2_settings)

    for number in range(3):
        store.write("outputs/h4n/take/metadata.json", b"%d" % number)

    assert store.read("outputs/h4n/take/metadata.json") == b"2"
    assert "TooManyRequests" in r2_proxy.refused


def test_create_whose_answer_was_lost_is_known_as_ours(
    r2_settings: StoreSettings, r2_proxy: R2Proxy
) -> None:
    store = open_store(r2_settings)
    r2_proxy.fails(Kind.LOST_ANSWER, "PUT", "manifest")

    store.create("a/manifest.json", b"ours")

    assert r2_proxy.count("PUT") > 1
    assert store.read("a/manifest.json") == b"ours"


def test_create_whose_answer_was_lost_after_another_won_is_not_ours(
    r2_settings: StoreSettings, r2_proxy: R2Proxy
) -> None:
    store = open_store(r2_settings)
    store.create("a/manifest.json", b"theirs")
    r2_proxy.fails(Kind.LOST_ANSWER, "PUT", "manifest")

    with pytest.raises(ObjectExists):
        store.create("a/manifest.json", b"ours")
    assert store.read("a/manifest.json") == b"theirs"


@pytest.mark.parametrize(
    ("method", "match"),
    [("POST", "uploads"), ("PUT", "partNumber=2"), ("POST", "uploadId")],
    ids=["begin", "part", "completion"],
)
def test_upload_whose_answer_was_lost_is_whole(
    r2_settings: StoreSettings, r2_proxy: R2Proxy, source: Path, method: str, match: str
) -> None:
    store = open_store(r2_settings)
    r2_proxy.fails(Kind.LOST_ANSWER, method, match)
    moved: list[int] = []

    store.upload(source, "a", on_bytes=moved.append)
    store.download("a", source.with_name("copy"))

    assert sha256(source.with_name("copy")) == sha256(source)
    assert sum(moved) == LONG
    assert r2_proxy.faults[0].times == 0


@pytest.mark.parametrize("kind", [Kind.TRUNCATED, Kind.WRONG_LENGTH])
def test_download_that_breaks_off_goes_on(
    r2_settings: StoreSettings, r2_proxy: R2Proxy, source: Path, kind: Kind
) -> None:
    store = open_store(r2_settings)
    store.upload(source, "a")
    r2_proxy.fails(kind, "GET")

    try:
        store.download("a", source.with_name("copy"))
    except (ObjectCorrupt, StorageUnavailable):
        there = source.with_name("copy").stat().st_size
        store.download("a", source.with_name("copy"), offset=there)

    assert sha256(source.with_name("copy")) == sha256(source)
    assert r2_proxy.faults[0].times == 0
