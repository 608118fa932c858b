"""Uploads in parts past the service, into a real bucket."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import corpus
import httpx
import pytest
from r2_proxy import Kind, r2_before
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection
from upload_service import UploadService, code_of, form, recording, running_uploads, upload

from stemset.api.uploads import presigned
from stemset.api.uploads.collection import collect
from stemset.dispatch.inputs import claim_place
from stemset.jobs import recordings, tables, uploads
from stemset.jobs.removal import work_off
from stemset.storage.presigned_upload import PresignedUploads
from stemset.storage.settings import StoreSettings

pytestmark = pytest.mark.s3

PART = 5 << 20  # the least that a bucket takes
SONG = recording(seconds=11 * (1 << 20) / 16_000)  # two whole parts and a shorter one
SHA256 = hashlib.sha256(SONG).hexdigest()
KEY = "inputs/h4n/take.wav"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presigned, "PART_BYTES", PART)


@pytest.fixture
def service(
    database_conninfo: str, tmp_path: Path, bucket_settings: StoreSettings
) -> Iterator[UploadService]:
    with running_uploads(database_conninfo, tmp_path, store=bucket_settings) as running:
        yield running


@pytest.fixture
def client(service: UploadService) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def bucket(bucket_settings: StoreSettings) -> PresignedUploads:
    return PresignedUploads(bucket_settings)


def begin(client: httpx.Client, data: bytes = SONG, **more: Any) -> dict[str, Any]:
    said = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    answer = client.post("/api/uploads", json={"filename": "take.wav", **said, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(client: httpx.Client, upload_id: str, part: int, content: bytes | None = None) -> str:
    """Put a part as a page would; returns its ETag."""
    answer = client.post(f"/api/uploads/{upload_id}/links", json={"parts": [part]})
    assert answer.status_code == 200, answer.text
    (link,) = answer.json()["links"]
    data = SONG[(part - 1) * PART : part * PART] if content is None else content
    put = httpx.put(link["url"], content=data, timeout=20)
    assert put.status_code == 200, put.text
    return put.headers["etag"]


def complete(client: httpx.Client, upload_id: str, **said: Any) -> httpx.Response:
    return client.post(f"/api/uploads/{upload_id}/complete", json=said)


def received(client: httpx.Client, upload_id: str) -> list[int]:
    return client.get(f"/api/uploads/{upload_id}").json()["received"]


def multipart_id(service: UploadService, upload_id: str) -> str:
    found = service.in_ledger(lambda ledger: uploads.get(ledger, "me", upload_id))
    return str(found.multipart_id)


def object_in(service: UploadService, folder: Path) -> bytes:
    path = folder / "downloaded"
    service.service.store.download(KEY, path)
    return path.read_bytes()


def test_upload_past_the_service_becomes_a_recording_that_is_yet_to_be_proven(
    service: UploadService, client: httpx.Client, tmp_path: Path
):
    begun = begin(client)
    assert (begun["method"], begun["part_bytes"], begun["parts"]) == ("presigned", PART, 3)
    upload_id = begun["upload_id"]
    etags = {part: put(client, upload_id, part) for part in (3, 1, 2)}
    assert received(client, upload_id) == [1, 2, 3]

    done = complete(client, upload_id, etags=etags)

    assert done.status_code == 200, done.text
    assert done.json()["recording_id"] == SHA256
    assert complete(client, upload_id).text == done.text
    assert object_in(service, tmp_path) == SONG
    found = service.in_ledger(lambda ledger: recordings.get(ledger, SHA256))
    assert (found.is_proven, found.input_key, found.bytes) == (False, KEY, len(SONG))
    assert service.spools == []


def test_file_whose_hash_is_not_known_goes_through_the_service(client: httpx.Client):
    answer = client.post("/api/uploads", json={"filename": "take.wav", "size_bytes": 1000})

    assert answer.json()["method"] == "direct"


def test_upload_is_gone_on_with_after_a_reload(client: httpx.Client):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 2)

    again = begin(client)

    assert (again["upload_id"], again["received"]) == (upload_id, [2])
    assert [each["received"] for each in client.get("/api/uploads").json()] == [[2]]


def test_part_of_another_length_is_not_received(client: httpx.Client):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 1)
    put(client, upload_id, 2, b"short")

    answer = complete(client, upload_id)

    assert received(client, upload_id) == [1]
    assert code_of(answer) == (409, "upload_incomplete")
    assert "missing: 2, 3." in answer.json()["error"]["detail"]


def test_part_that_was_put_again_since_is_found_by_its_etag(client: httpx.Client):
    upload_id = begin(client)["upload_id"]
    etags = {part: put(client, upload_id, part) for part in (1, 2, 3)}
    put(client, upload_id, 1, bytes(PART))

    assert code_of(complete(client, upload_id, etags=etags)) == (400, "upload_mismatch")

    put(client, upload_id, 1)
    assert complete(client, upload_id, etags=etags).status_code == 200


def test_upload_that_is_ended_for_another_hash_is_removed(client: httpx.Client):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 1)

    assert code_of(complete(client, upload_id, sha256="0" * 64)) == (400, "upload_mismatch")
    assert client.get(f"/api/uploads/{upload_id}").status_code == 404


def test_upload_that_the_bucket_has_dropped_is_begun_anew(
    service: UploadService, client: httpx.Client, bucket: PresignedUploads, tmp_path: Path
):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 1)
    bucket.abort(KEY, multipart_id(service, upload_id))

    assert code_of(complete(client, upload_id)) == (409, "upload_incomplete")
    assert received(client, upload_id) == []
    for part in (1, 2, 3):
        put(client, upload_id, part)
    assert complete(client, upload_id).status_code == 200
    assert object_in(service, tmp_path) == SONG


def test_upload_that_the_bucket_completed_unheard_is_ended(
    service: UploadService, client: httpx.Client, bucket: PresignedUploads
):
    upload_id = begin(client)["upload_id"]
    for part in (1, 2, 3):
        put(client, upload_id, part)
    named = multipart_id(service, upload_id)
    bucket.complete(KEY, named, bucket.parts(KEY, named))

    assert complete(client, upload_id).json()["state"] == "complete"


def test_recording_that_came_through_the_service_meanwhile_is_not_written_over(
    service: UploadService, client: httpx.Client, bucket: PresignedUploads, tmp_path: Path
):
    upload_id = begin(client)["upload_id"]
    for part in (1, 2, 3):
        put(client, upload_id, part, bytes(len(SONG[(part - 1) * PART : part * PART])))
    named = multipart_id(service, upload_id)
    assert upload(client, form(SONG)).status_code == 200

    assert complete(client, upload_id).status_code == 200

    assert object_in(service, tmp_path) == SONG
    assert service.in_ledger(lambda ledger: recordings.get(ledger, SHA256)).is_proven
    assert not is_under_way(bucket, named)


def is_under_way(bucket: PresignedUploads, named: str) -> bool:
    return any(each.upload_id == named for each in bucket._multipart.under_way("inputs/"))


def refusal_of(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """Status and error, but the request's id."""
    error = answer.json()["error"]
    return answer.status_code, {name: error[name] for name in error if name != "request_id"}


def send(client: httpx.Client, data: bytes) -> str:
    """Begin an upload past the service, and put all of it; its id."""
    upload_id = begin(client, data)["upload_id"]
    put(client, upload_id, 1, data)
    return upload_id


@pytest.mark.parametrize(
    "name", ["html.wav", "cut-before-its-index.m4a", "65535-channels.wav", "13-hours.flac"]
)
def test_file_that_is_no_recording_is_refused_as_through_the_service_and_removed(
    service: UploadService, client: httpx.Client, tmp_path: Path, name: str
):
    data = corpus.write(name, tmp_path).read_bytes()
    upload_id = send(client, data)

    answer = complete(client, upload_id)

    assert refusal_of(answer) == refusal_of(upload(client, form(data)))
    assert answer.status_code == 422
    assert client.get(f"/api/uploads/{upload_id}").status_code == 404
    assert everything_in(service) == []
    assert (service.count("uploads"), service.count("recordings")) == (0, 0)
    assert service.spools == []


@pytest.mark.parametrize("name", ["aac.m4a", "opus.webm", "huge-art.mp3", "scratched.flac"])
def test_file_that_looks_like_a_recording_is_taken(
    service: UploadService, client: httpx.Client, tmp_path: Path, name: str
):
    data = corpus.write(name, tmp_path).read_bytes()
    upload_id = begin(client, data)["upload_id"]
    for part in range(-(-len(data) // PART)):
        put(client, upload_id, part + 1, data[part * PART : (part + 1) * PART])

    assert complete(client, upload_id).json()["state"] == "complete"
    assert service.service.store.head(KEY).bytes == len(data)


def test_file_that_cannot_be_looked_at_now_is_looked_at_when_its_end_is_asked_for_again(
    database_conninfo: str, tmp_path: Path, bucket_settings: StoreSettings
):
    data = corpus.write("cut-before-its-index.m4a", tmp_path).read_bytes()
    with r2_before(bucket_settings.endpoint) as way:
        through = replace(bucket_settings, endpoint=way.endpoint, retry_s=0.5)
        with (
            running_uploads(database_conninfo, tmp_path, store=through) as service,
            service.client() as client,
        ):
            upload_id = send(client, data)
            way.fails(Kind.SLOW_DOWN, "GET", KEY, times=1000)
            not_now = complete(client, upload_id)
            way.faults.clear()
            then = complete(client, upload_id)

            assert code_of(not_now) == (503, "storage_unavailable")
            assert code_of(then) == (422, "audio_unsupported")
            assert everything_in(service) == []


def test_upload_that_is_given_up_gives_back_its_name_but_not_what_was_there_before(
    service: UploadService, client: httpx.Client
):
    store = service.service.store
    claim_place(store, "h4n", "take.wav", SHA256, len(SONG))
    store.write(KEY, SONG)
    time.sleep(2.1)  # the bucket tells whole seconds

    for data in (recording(seed=9), SONG):
        assert client.delete(f"/api/uploads/{send_first(client, data)}").status_code == 204

    assert everything_in(service) == ["claims/h4n/take.wav", KEY]


def send_first(client: httpx.Client, data: bytes) -> str:
    """Begin an upload past the service, and put its first part; its id."""
    upload_id = begin(client, data)["upload_id"]
    put(client, upload_id, 1, data[:PART])
    return upload_id


def everything_in(service: UploadService) -> list[str]:
    store = service.service.store
    return sorted(info.key for place in ("claims", "inputs") for info in store.list_below(place))


def test_part_is_not_taken_by_the_service(client: httpx.Client):
    upload_id = begin(client)["upload_id"]

    answer = client.put(f"/api/uploads/{upload_id}/parts/1", content=b"x" * 100)

    assert code_of(answer) == (400, "upload_mismatch")


@pytest.mark.parametrize("parts", [[4], [0], [], [1] * 101])
def test_links_to_parts_that_there_are_not_are_refused(client: httpx.Client, parts: list[int]):
    upload_id = begin(client)["upload_id"]

    answer = client.post(f"/api/uploads/{upload_id}/links", json={"parts": parts})

    assert answer.status_code in {400, 422}


def test_upload_that_is_aborted_leaves_nothing_in_the_bucket(
    service: UploadService, client: httpx.Client, bucket: PresignedUploads
):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 1)
    named = multipart_id(service, upload_id)
    assert is_under_way(bucket, named)

    assert client.delete(f"/api/uploads/{upload_id}").status_code == 204

    assert not is_under_way(bucket, named)


def test_collection_drops_what_nobody_goes_on_with_from_the_bucket(
    service: UploadService, client: httpx.Client, bucket: PresignedUploads
):
    expired, kept = (begin(client, filename=name)["upload_id"] for name in ("a.wav", "b.wav"))
    forgotten = bucket.begin("inputs/h4n/forgotten.wav")
    names = {each: multipart_id(service, each) for each in (expired, kept)}
    for each, hours in ((expired, -3), (kept, 3)):
        change = update(tables.uploads).where(tables.uploads.c.id == each)
        age = change.values(touched_at=func.now() + timedelta(hours=hours))
        service.in_ledger(partial(AsyncConnection.execute, statement=age))
    time.sleep(1.1)  # the bucket tells whole seconds

    removed = service.run(lambda: collect(service.service, timedelta(seconds=1)))
    parts = service.service.database, service.service.store, service.service.threads
    service.run(lambda: work_off(*parts))

    assert everything_in(service) == ["claims/h4n/b.wav"]
    assert {each.id for each in removed} == {expired, forgotten}
    assert [is_under_way(bucket, each) for each in (names[expired], forgotten)] == [False, False]
    assert is_under_way(bucket, names[kept])


def test_upload_in_one_piece_is_kept_in_the_bucket(
    service: UploadService, client: httpx.Client, tmp_path: Path
):
    assert upload(client, form(SONG)).status_code == 200

    assert object_in(service, tmp_path) == SONG
    assert begin(client)["state"] == "complete"
    assert service.spools == []
