"""The exchange with presigned links, against R2's rules before the real server."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from r2_proxy import Kind, R2Proxy
from s3_server import S3Server

from stemset.errors import (
    InputUnreadable,
    InvalidKey,
    LinkExpired,
    NoSpace,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    OutputUnwritable,
    StorageRefused,
    StorageUnavailable,
)
from stemset.storage._linked import LinkedExchange
from stemset.storage.exchange import Exchange, Wanted
from stemset.storage.keys import AttemptFolder, attempt_folder, input_key
from stemset.storage.links import LinkMaker
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

pytestmark = pytest.mark.s3

MIB = 1 << 20
MAX_PUT_BYTES = 6 * MIB
KEY = input_key("h4n", "Übung 3 + (live) & mehr.wav")
FOLDER = attempt_folder("h4n", "take_12345678", "job12345", 1)
EXPIRED = "?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=0"


@dataclass
class Orderer:
    """Whoever ordered: makes links, and keeps what was asked for.

    Attributes:
        maker: Makes them.
        asked: Every link that was wanted.
        stale: How many of the next links have expired already.
    """

    maker: LinkMaker
    asked: list[Wanted] = field(default_factory=list)
    stale: int = 0

    def ask(self, wanted: Sequence[Wanted]) -> list[str]:
        self.asked += wanted
        urls = self.maker.make(wanted)
        if self.stale:
            self.stale -= 1
            return [url.partition("?")[0] + EXPIRED for url in urls]
        return urls

    def exchange(self, urls: Mapping[str, str] | None = None, retry_s: float = 10.0) -> Exchange:
        (input_url,) = self.maker.make([Wanted("GET")])
        return LinkedExchange(
            input_url, urls or {}, self.ask, retry_s=retry_s, max_put_bytes=MAX_PUT_BYTES
        )


@pytest.fixture
def orderer(r2_settings: StoreSettings) -> Orderer:
    return Orderer(LinkMaker(r2_settings, KEY, FOLDER))


@pytest.fixture
def bucket(bucket_settings: StoreSettings) -> Store:
    """The same bucket, not through R2's rules."""
    return open_store(bucket_settings)


@pytest.fixture
def recording(bucket: Store, tmp_path: Path) -> Path:
    path = file_of(tmp_path / "recording", 3 * MIB + 1)
    bucket.upload(path, KEY)
    return path


def file_of(path: Path, length: int) -> Path:
    path.write_bytes(os.urandom(length))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def put_is_whole(bucket: Store, source: Path, name: str) -> bool:
    copy = source.with_name(f"{source.name}.copy")
    bucket.download(FOLDER.key(name), copy)
    return sha256(copy) == sha256(source)


def test_fetch_brings_the_recording(
    orderer: Orderer, r2_proxy: R2Proxy, recording: Path, tmp_path: Path
) -> None:
    moved: list[int] = []

    orderer.exchange().fetch(tmp_path / "copy", on_bytes=moved.append)

    assert sha256(tmp_path / "copy") == sha256(recording)
    assert sum(moved) == 3 * MIB + 1
    assert orderer.asked == []
    assert r2_proxy.asked[-1].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("there", [1, MIB, 3 * MIB, 3 * MIB + 1])
def test_fetch_goes_on_where_it_was(
    orderer: Orderer, recording: Path, tmp_path: Path, there: int
) -> None:
    part = tmp_path / "part"
    part.write_bytes(recording.read_bytes()[:there] + b"left of a broken write")
    moved: list[int] = []

    orderer.exchange().fetch(part, offset=there, on_bytes=moved.append)

    assert sha256(part) == sha256(recording)
    assert sum(moved) == 3 * MIB + 1 - there


def test_fetch_beyond_the_end_is_corrupt(orderer: Orderer, recording: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(recording.read_bytes() + b"too much")

    with pytest.raises(ObjectCorrupt, match="shorter"):
        orderer.exchange().fetch(part, offset=part.stat().st_size)


def test_fetch_of_a_recording_that_is_gone_is_named(orderer: Orderer, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound, match="recording"):
        orderer.exchange().fetch(tmp_path / "copy")


def test_fetch_to_where_no_file_can_be_is_named(
    orderer: Orderer, recording: Path, tmp_path: Path
) -> None:
    assert recording.exists()
    with pytest.raises(OutputUnwritable, match="no-folder"):
        orderer.exchange().fetch(tmp_path / "no-folder" / "copy")


@pytest.mark.parametrize("kind", [Kind.TRUNCATED, Kind.WRONG_LENGTH, Kind.SLOW_DOWN])
def test_fetch_that_breaks_off_goes_on(
    orderer: Orderer, r2_proxy: R2Proxy, recording: Path, tmp_path: Path, kind: Kind
) -> None:
    r2_proxy.fails(kind, "GET", times=3)
    moved: list[int] = []

    orderer.exchange().fetch(tmp_path / "copy", on_bytes=moved.append)

    assert sha256(tmp_path / "copy") == sha256(recording)
    assert sum(moved) == 3 * MIB + 1
    assert r2_proxy.count("GET") == 4


def test_fetch_that_breaks_off_is_patient_as_long_as_bytes_come(
    orderer: Orderer, r2_proxy: R2Proxy, recording: Path, tmp_path: Path
) -> None:
    r2_proxy.fails(Kind.TRUNCATED, "GET", times=5)

    orderer.exchange(retry_s=0.001).fetch(tmp_path / "copy")

    assert sha256(tmp_path / "copy") == sha256(recording)


@pytest.mark.parametrize("length", [0, 1, MAX_PUT_BYTES])
def test_put_writes_the_file(orderer: Orderer, bucket: Store, tmp_path: Path, length: int) -> None:
    source = file_of(tmp_path / "stem", length)
    moved: list[int] = []

    etag = orderer.exchange().put(source, "vocals.flac", on_bytes=moved.append)

    assert put_is_whole(bucket, source, "vocals.flac")
    assert etag == bucket.head(FOLDER.key("vocals.flac")).etag
    assert sum(moved) == length
    assert orderer.asked == [Wanted("PUT", "vocals.flac", bytes=length)]


def test_put_with_a_link_of_the_order_asks_for_none(
    orderer: Orderer, bucket: Store, tmp_path: Path
) -> None:
    source = file_of(tmp_path / "stem", 1000)
    (url,) = orderer.maker.make([Wanted("PUT", "vocals.flac", bytes=1000)])

    orderer.exchange({"vocals.flac": url}).put(source, "vocals.flac")

    assert put_is_whole(bucket, source, "vocals.flac")
    assert orderer.asked == []


@pytest.mark.parametrize("length", [MAX_PUT_BYTES + 1, 2 * MAX_PUT_BYTES, 3 * MAX_PUT_BYTES - 5])
def test_put_of_a_long_file_goes_in_parts(
    orderer: Orderer, r2_proxy: R2Proxy, bucket: Store, tmp_path: Path, length: int
) -> None:
    r2_proxy.rules.max_put_bytes = MAX_PUT_BYTES
    source = file_of(tmp_path / "stem", length)
    moved: list[int] = []

    etag = orderer.exchange().put(source, "vocals+drums 1.wav", on_bytes=moved.append)

    assert put_is_whole(bucket, source, "vocals+drums 1.wav")
    assert etag == bucket.head(FOLDER.key("vocals+drums 1.wav")).etag
    assert sum(moved) == length
    parts = -(-length // MAX_PUT_BYTES)
    puts = [each for each in orderer.asked if each.method == "PUT"]
    assert [each.part for each in puts] == [*range(1, parts + 1), None]
    assert all(each.parts == parts for each in puts)


def test_put_in_parts_by_an_orderer_that_was_started_again_is_whole(
    orderer: Orderer, r2_settings: StoreSettings, bucket: Store, tmp_path: Path
) -> None:
    source = file_of(tmp_path / "stem", 2 * MAX_PUT_BYTES)

    class Forgetful(Orderer):
        def ask(self, wanted: Sequence[Wanted]) -> list[str]:
            self.maker = LinkMaker(r2_settings, KEY, FOLDER)
            return super().ask(wanted)

    Forgetful(orderer.maker).exchange().put(source, "vocals.wav")

    assert put_is_whole(bucket, source, "vocals.wav")


@pytest.mark.parametrize(
    ("method", "match"),
    [("POST", "uploads"), ("PUT", "partNumber=2"), ("POST", "uploadId"), ("GET", "uploads")],
    ids=["begin", "part", "completion", "look-up"],
)
def test_put_in_parts_whose_answer_was_lost_is_whole(
    orderer: Orderer, r2_proxy: R2Proxy, bucket: Store, tmp_path: Path, method: str, match: str
) -> None:
    source = file_of(tmp_path / "stem", 2 * MAX_PUT_BYTES + 1)
    r2_proxy.fails(Kind.LOST_ANSWER, method, match)
    moved: list[int] = []

    orderer.exchange().put(source, "vocals.wav", on_bytes=moved.append)

    assert r2_proxy.faults[0].times == 0
    assert put_is_whole(bucket, source, "vocals.wav")
    assert sum(moved) == 2 * MAX_PUT_BYTES + 1


@pytest.mark.parametrize("kind", [Kind.LOST_ANSWER, Kind.SLOW_DOWN])
def test_put_that_fails_is_tried_again(
    orderer: Orderer, r2_proxy: R2Proxy, bucket: Store, tmp_path: Path, kind: Kind
) -> None:
    source = file_of(tmp_path / "stem", MIB)
    r2_proxy.fails(kind, "PUT", times=2)
    moved: list[int] = []

    orderer.exchange().put(source, "vocals.flac", on_bytes=moved.append)

    assert put_is_whole(bucket, source, "vocals.flac")
    assert sum(moved) == MIB
    assert len(orderer.asked) == 1


def test_put_of_a_file_that_is_not_there_is_named(orderer: Orderer, tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="nowhere"):
        orderer.exchange().put(tmp_path / "nowhere", "vocals.flac")


def test_put_into_a_bucket_that_is_full_is_named(
    orderer: Orderer, s3_server: S3Server, r2_settings: StoreSettings, tmp_path: Path
) -> None:
    s3_server.limit_bucket(r2_settings.bucket, MIB)

    with pytest.raises(NoSpace, match=r"vocals\.flac"):
        orderer.exchange().put(file_of(tmp_path / "stem", 2 * MIB), "vocals.flac")
    s3_server.limit_bucket(r2_settings.bucket, None)


def test_create_and_read_of_a_small_file(orderer: Orderer) -> None:
    exchange = orderer.exchange()

    exchange.create("claim.json", b"mine")

    assert exchange.read("claim.json") == b"mine"


def test_create_of_what_is_there_changes_nothing(orderer: Orderer, bucket: Store) -> None:
    bucket.write(FOLDER.key("claim.json"), b"theirs")

    with pytest.raises(ObjectExists, match=r"claim\.json"):
        orderer.exchange().create("claim.json", b"mine")
    assert bucket.read(FOLDER.key("claim.json")) == b"theirs"


def test_create_whose_answer_was_lost_is_known_as_ours(
    orderer: Orderer, r2_proxy: R2Proxy, bucket: Store
) -> None:
    r2_proxy.fails(Kind.LOST_ANSWER, "PUT", "claim.json")

    orderer.exchange().create("claim.json", b"mine")

    assert r2_proxy.count("PUT", "claim.json") > 1
    assert bucket.read(FOLDER.key("claim.json")) == b"mine"


def test_read_of_what_is_not_there_is_named(orderer: Orderer) -> None:
    with pytest.raises(ObjectNotFound, match=r"manifest\.json"):
        orderer.exchange().read("manifest.json")


def test_read_of_what_is_too_long_is_refused(orderer: Orderer, bucket: Store) -> None:
    bucket.write(FOLDER.key("manifest.json"), bytes(MIB + 1))

    with pytest.raises(ObjectCorrupt, match=r"manifest\.json has more than"):
        orderer.exchange().read("manifest.json")


def test_read_that_breaks_off_is_read_again(
    orderer: Orderer, r2_proxy: R2Proxy, bucket: Store
) -> None:
    bucket.write(FOLDER.key("manifest.json"), b"0123456789" * 1000)
    r2_proxy.fails(Kind.TRUNCATED, "GET", "manifest")

    assert orderer.exchange().read("manifest.json") == b"0123456789" * 1000


def test_links_that_expired_are_asked_for_again(
    orderer: Orderer, r2_proxy: R2Proxy, recording: Path, bucket: Store, tmp_path: Path
) -> None:
    (url,) = orderer.maker.make([Wanted("GET")])
    exchange = LinkedExchange(url.partition("?")[0] + EXPIRED, {}, orderer.ask, retry_s=5)
    orderer.stale = 2

    exchange.fetch(tmp_path / "copy")
    orderer.stale = 2
    exchange.put(recording, "vocals.flac")

    assert sha256(tmp_path / "copy") == sha256(recording)
    assert put_is_whole(bucket, recording, "vocals.flac")
    assert r2_proxy.refused.count("ExpiredRequest") == 5
    assert [each.method for each in orderer.asked] == ["GET"] * 3 + ["PUT"] * 3


def test_link_that_expired_before_the_real_server_is_asked_for_again(
    bucket_settings: StoreSettings, bucket: Store, tmp_path: Path
) -> None:
    source = file_of(tmp_path / "stem", 50_000_000)
    orderer = Orderer(LinkMaker(bucket_settings, KEY, FOLDER, expires_s=1))
    (url,) = orderer.maker.make([Wanted("PUT", "vocals.flac", bytes=50_000_000)])
    orderer.maker = LinkMaker(bucket_settings, KEY, FOLDER)
    time.sleep(1.1)  # there is no other way to make a link that is signed and old

    LinkedExchange("", {"vocals.flac": url}, orderer.ask, retry_s=5).put(source, "vocals.flac")

    assert put_is_whole(bucket, source, "vocals.flac")
    assert len(orderer.asked) == 1


def test_links_that_are_all_expired_are_an_error(orderer: Orderer, recording: Path) -> None:
    orderer.stale = 100

    with pytest.raises(LinkExpired, match=r"vocals\.flac"):
        orderer.exchange().put(recording, "vocals.flac")
    assert len(orderer.asked) == 4


def test_links_of_a_wrong_key_are_refused_by_name(
    r2_settings: StoreSettings, recording: Path
) -> None:
    wrong = replace(r2_settings, secret_access_key="mistyped")  # noqa: S106 - no secret
    orderer = Orderer(LinkMaker(wrong, KEY, FOLDER))

    with pytest.raises(StorageRefused, match="R2_SECRET_ACCESS_KEY"):
        orderer.exchange().put(recording, "vocals.flac")
    assert len(orderer.asked) == 2


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/a", "http://host:port/"])
def test_link_that_is_none_is_refused(orderer: Orderer, tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageRefused, match="is no link"):
        LinkedExchange(url, {}, orderer.ask).fetch(tmp_path / "copy")


def test_redirect_is_not_followed(
    orderer: Orderer, r2_proxy: R2Proxy, recording: Path, tmp_path: Path
) -> None:
    assert recording.exists()
    r2_proxy.fails(Kind.REDIRECTED, "GET", times=2)

    with pytest.raises(StorageRefused, match="307"):
        orderer.exchange().fetch(tmp_path / "copy")
    assert r2_proxy.count("GET") == 2


def test_orderer_that_answers_with_too_little_is_refused(recording: Path) -> None:
    exchange = LinkedExchange("", {}, lambda _: [])

    with pytest.raises(StorageRefused, match="0 came"):
        exchange.put(recording, "vocals.flac")


def test_name_outside_the_folder_is_refused(orderer: Orderer, recording: Path) -> None:
    with pytest.raises(InvalidKey):
        orderer.exchange().put(recording, "../2/manifest.json")


def test_gateway_killed_and_started_again_is_ridden_out(
    orderer: Orderer, s3_server: S3Server, recording: Path, bucket: Store, tmp_path: Path
) -> None:
    exchange = orderer.exchange(retry_s=30)
    s3_server.stop_gateway()
    starts = threading.Thread(target=s3_server.start_gateway)
    starts.start()

    exchange.put(recording, "vocals.flac")
    exchange.fetch(tmp_path / "copy")
    starts.join()

    assert put_is_whole(bucket, recording, "vocals.flac")
    assert sha256(tmp_path / "copy") == sha256(recording)


@pytest.mark.alone
def test_gateway_dead_for_longer_than_is_retried_is_an_error_in_time(
    bucket_settings: StoreSettings, s3_server: S3Server, recording: Path
) -> None:
    orderer = Orderer(LinkMaker(bucket_settings, KEY, FOLDER))
    exchange = orderer.exchange(retry_s=1)
    s3_server.stop_gateway()
    begun = time.monotonic()

    with pytest.raises(StorageUnavailable, match=r"vocals\.flac.*refused"):
        exchange.put(recording, "vocals.flac")
    assert 1 <= time.monotonic() - begun < 4


def test_link_is_in_no_message_and_no_log(
    orderer: Orderer, recording: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    exchange = orderer.exchange()
    exchange.fetch(tmp_path / "copy")
    orderer.stale = 100

    with pytest.raises(LinkExpired) as caught:
        exchange.put(recording, "vocals.flac")
    assert "X-Amz" not in caplog.text + str(caught.value)


def test_several_files_at_once_are_whole(orderer: Orderer, bucket: Store, tmp_path: Path) -> None:
    exchange = orderer.exchange()
    sources = [file_of(tmp_path / f"{number}.flac", MIB + number) for number in range(8)]
    threads = [threading.Thread(target=exchange.put, args=(each, each.name)) for each in sources]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(put_is_whole(bucket, each, each.name) for each in sources)


def test_folder_is_the_attempts_own() -> None:
    assert isinstance(FOLDER, AttemptFolder)
    assert FOLDER.prefix == "outputs/h4n/take_12345678/job12345-1"
