"""Media by signed addresses: whole and in ranges, for whoever has the address and nobody else."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

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
from service_client import RunningService

from stemset.api.media.links import VALID_FOR, make_links, media_secret
from stemset.api.media.names import content_type
from stemset.jobs.job import Job

DATA = bytes(range(256)) * 4000


@pytest.fixture
def url(guarded: RunningService) -> str:
    """An address of a stem, got by whoever holds a token."""
    return urls_of(guarded, make_output(guarded, make_recording(guarded), stems={"bass": DATA})[0])[
        "bass.wav"
    ]


@pytest.fixture
def client(guarded: RunningService) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with httpx.Client(base_url=guarded.url) as client:
        yield client


def urls_of(
    running: RunningService, job: Job, now: datetime | None = None, *files: str
) -> dict[str, str]:
    names = list(files) or ["bass.wav"]
    links = running.run(
        lambda: make_links(running.service, folder_of(job), names, now or datetime.now(UTC))
    )
    return dict(zip(names, links.urls, strict=True))


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_address_needs_no_token_and_gives_the_file(client: httpx.Client, url: str):
    answer = client.get(url)

    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert parsedate_to_datetime(answer.headers["last-modified"]) <= datetime.now(UTC)


def test_head_tells_the_same_without_the_bytes(client: httpx.Client, url: str):
    got, head = client.get(url), client.head(url)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "last-modified", "cache-control"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-65535", 0, 65_536),
        ("bytes=1000-", 1000, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        ("bytes=-99999999", 0, len(DATA)),
        ("bytes=300000-900000", 300_000, 900_001),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
        ("bytes=5-99999999999", 5, len(DATA)),
        ("BYTES= 5-6", 5, 7),
    ],
)
def test_range_is_answered_with_that_part(
    client: httpx.Client, url: str, asked: str, begin: int, end: int
):
    answer = client.get(url, headers={"range": asked})

    assert answer.status_code == 206
    assert answer.content == DATA[begin:end]
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - begin)


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=²-", "x"],
)
def test_range_that_is_none_or_several_is_answered_with_the_whole(
    client: httpx.Client, url: str, asked: str
):
    answer = client.get(url, headers={b"range": asked.encode("latin-1")})

    assert (answer.status_code, len(answer.content)) == (200, len(DATA))


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=99999999-", "bytes=-0"])
def test_range_beyond_the_end_is_refused_with_the_length(
    client: httpx.Client, url: str, asked: str
):
    answer = client.get(url, headers={"range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert answer.json()["error"]["code"] == "range_unsatisfiable"


def test_range_of_the_version_that_the_client_has_is_given_and_else_the_whole(
    client: httpx.Client, url: str
):
    head = client.head(url)
    asked = {"range": "bytes=0-4"}

    for validator in (head.headers["etag"], head.headers["last-modified"]):
        assert client.get(url, headers=asked | {"if-range": validator}).status_code == 206
    for other in ('"other"', f"W/{head.headers['etag']}", "Thu, 01 Jan 2015 00:00:00 GMT"):
        assert client.get(url, headers=asked | {"if-range": other}).status_code == 200


def test_file_that_the_client_has_is_not_sent_again(client: httpx.Client, url: str):
    etag = client.head(url).headers["etag"]

    for known in (etag, f"W/{etag}", f'"a", {etag}', "*"):
        answer = client.get(url, headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.replace("bass.wav", "bass.png"),
        lambda url: url.replace("/h4n/", "/songs/"),
        lambda url: url.replace("expires=1", "expires=2"),
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    ],
)
def test_address_with_anything_changed_is_refused(client: httpx.Client, url: str, spoil):
    assert error_of(client.get(spoil(url))) == (403, "forbidden")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.partition("?")[0],
        lambda url: url.partition("&")[0],
        lambda url: url.replace("signature=", "signature=%00"),
        lambda url: url.replace("expires=", "expires=-"),
        lambda url: url.replace("bass.wav", "..%2f..%2f..%2fbass.wav"),
        lambda url: url.replace("/h4n/", "/%2e%2e/"),
    ],
)
def test_address_that_is_none_is_refused(client: httpx.Client, url: str, spoil):
    assert client.get(spoil(url)).status_code in {404, 422}


def test_address_ends_and_stays_the_same_for_a_while(guarded: RunningService):
    job, _ = make_output(guarded, make_recording(guarded), stems={"bass": DATA})
    begin = datetime(2026, 5, 5, 12, 0, 1, tzinfo=UTC)
    first, later, old = (
        urls_of(guarded, job, begin + after)["bass.wav"]
        for after in (timedelta(), timedelta(minutes=50), timedelta(hours=-9))
    )

    assert first == later
    now = datetime.now(UTC)
    expired = urls_of(guarded, job, now - VALID_FOR - timedelta(hours=1))["bass.wav"]
    valid = urls_of(guarded, job, now - VALID_FOR + timedelta(minutes=1))["bass.wav"]
    assert first != old
    assert error_of(httpx.get(guarded.url + expired)) == (403, "link_expired")
    assert httpx.get(guarded.url + valid).status_code == 200


def test_secret_is_the_databases(guarded: RunningService, running: RunningService):
    secret = guarded.run(lambda: media_secret(guarded.service.database))

    assert len(secret) == 32
    # Both run on one database, each with a pool of its own.
    assert running.run(lambda: media_secret(running.service.database)) == secret


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vocals.opus", "audio/ogg"),
        ("vocals.player.opus", "audio/ogg"),
        ("vocals.opus.index.json", "application/json"),
        ("vocals.m4a", "audio/mp4"),
        ("vocals.mp3", "audio/mpeg"),
        ("vocals.flac", "audio/flac"),
        ("vocals.wav", "audio/wav"),
        ("vocals.png", "image/png"),
        ("vocals.peaks-256.dat", "application/octet-stream"),
        ("vocals", "application/octet-stream"),
    ],
)
def test_content_type_is_the_files(name: str, kind: str):
    assert content_type(name) == kind


def test_file_that_is_gone_is_not_found(guarded: RunningService):
    job, _ = make_output(guarded, make_recording(guarded), stems={"bass": DATA})
    url = urls_of(guarded, job)["bass.wav"]
    guarded.service.store.delete([folder_of(job).key("bass.wav")])

    assert error_of(httpx.get(guarded.url + url)) == (404, "object_not_found")


def test_client_that_goes_away_stops_the_reading(guarded: RunningService):
    job, _ = make_output(guarded, make_recording(guarded), stems={"bass": DATA})
    file = guarded.store_folder / folder_of(job).key("bass.wav")
    os.truncate(file, 2_000_000_000)
    path = urls_of(guarded, job)["bass.wav"]

    with open_connection(guarded, path) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        await_that(lambda: is_open(file))
    await_that(lambda: not is_open(file))


@pytest.mark.alone
def test_many_slow_clients_hold_no_thread(guarded: RunningService):
    job, _ = make_output(guarded, make_recording(guarded), stems={"bass": DATA})
    os.truncate(guarded.store_folder / folder_of(job).key("bass.wav"), 100_000_000)
    path = urls_of(guarded, job)["bass.wav"]
    slow = [open_connection(guarded, path) for _ in range(40)]
    try:
        for connection in slow:
            assert connection.recv(1000)
        begun_s = time.monotonic()
        assert httpx.head(guarded.url + path).status_code == 200
        assert time.monotonic() - begun_s < 5
    finally:
        for connection in slow:
            connection.close()
