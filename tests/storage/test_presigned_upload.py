"""Recordings that a client puts into the bucket itself, under R2's rules before a real server."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound, StorageRefused
from stemset.storage.presigned_upload import Part, PresignedUploads, part_length
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

KEY = "inputs/h4n/take one – ü.wav"
PART = 5 << 20


@pytest.fixture
def uploads(r2_settings: StoreSettings) -> PresignedUploads:
    return PresignedUploads(r2_settings)


@pytest.fixture
def r2_store(r2_settings: StoreSettings) -> Store:
    return open_store(r2_settings)


def put(uploads: PresignedUploads, multipart_id: str, number: int, data: bytes) -> None:
    httpx.put(uploads.link(KEY, multipart_id, number), content=data).raise_for_status()


@pytest.mark.s3
def test_parts_that_were_put_are_listed_and_become_the_recording(
    uploads: PresignedUploads, r2_store: Store
):
    multipart_id = uploads.begin(KEY)
    put(uploads, multipart_id, 2, b"end")
    put(uploads, multipart_id, 1, bytes(PART))

    parts = uploads.parts(KEY, multipart_id)
    uploads.complete(KEY, multipart_id, parts)

    assert [(part.number, part.bytes) for part in parts] == [(1, PART), (2, 3)]
    assert r2_store.head(KEY).bytes == PART + 3


@pytest.mark.s3
def test_upload_that_is_gone_is_not_found(uploads: PresignedUploads):
    multipart_id = uploads.begin(KEY)
    uploads.abort(KEY, multipart_id)
    uploads.abort(KEY, multipart_id)

    with pytest.raises(ObjectNotFound):
        uploads.parts(KEY, multipart_id)


@pytest.mark.s3
def test_part_that_is_not_the_one_that_was_put_is_refused(uploads: PresignedUploads):
    multipart_id = uploads.begin(KEY)
    put(uploads, multipart_id, 1, b"end")

    other = Part(1, 3, '"0123456789abcdef0123456789abcdef"', datetime.now(UTC))
    with pytest.raises(ObjectCorrupt):
        uploads.complete(KEY, multipart_id, [other])


@pytest.mark.s3
def test_more_parts_than_one_answer_holds_are_all_listed(
    uploads: PresignedUploads, monkeypatch: pytest.MonkeyPatch
):
    multipart_id = uploads.begin(KEY)
    for number in (1, 2, 3):
        put(uploads, multipart_id, number, b"x")
    call = uploads._multipart._call
    monkeypatch.setattr(
        uploads._multipart,
        "_call",
        lambda method, key, query: call(method, key, {**query, "max-parts": "2"}),
    )

    assert [part.number for part in uploads.parts(KEY, multipart_id)] == [1, 2, 3]


@pytest.mark.s3
def test_abandoned_uploads_are_old_and_not_gone_on_with(uploads: PresignedUploads):
    old, kept = uploads.begin(KEY), uploads.begin(KEY)
    stem = uploads._multipart.begin_another("outputs/h4n/take/cli00000-1/vocals.flac")
    uploads._multipart.begin_another("elsewhere/take.wav")
    put(uploads, old, 1, b"abc")

    assert list(uploads.abandoned(timedelta(hours=1), but=[])) == []
    found = list(uploads.abandoned(timedelta(seconds=-10), but=[kept]))

    assert [(each.key, each.multipart_id, each.bytes) for each in found] == [
        (KEY, old, 3),
        ("outputs/h4n/take/cli00000-1/vocals.flac", stem, 0),
    ]


@pytest.mark.s3
def test_upload_begun_long_ago_whose_parts_still_come_is_not_abandoned(uploads: PresignedUploads):
    slow, dead = uploads.begin(KEY), uploads.begin(KEY)
    put(uploads, dead, 1, b"abc")
    time.sleep(6.1)  # the bucket tells whole seconds
    put(uploads, slow, 1, b"abc")

    found = uploads.abandoned(timedelta(seconds=5), but=[])

    assert [each.multipart_id for each in found] == [dead]


@pytest.mark.s3
def test_more_uploads_than_one_answer_holds_are_all_found(
    uploads: PresignedUploads, monkeypatch: pytest.MonkeyPatch
):
    begun = {uploads.begin(f"inputs/h4n/{name}.wav") for name in "abcde"}
    call = uploads._multipart._call
    monkeypatch.setattr(
        uploads._multipart,
        "_call",
        lambda method, key, query: call(method, key, {**query, "max-uploads": "2"}),
    )

    found = uploads.abandoned(timedelta(seconds=-10), but=[])

    assert {each.multipart_id for each in found} == begun


@pytest.mark.s3
def test_key_that_is_no_recordings_is_refused(uploads: PresignedUploads):
    with pytest.raises(InvalidKey):
        uploads.begin("outputs/h4n/take/metadata.json")


def test_store_that_is_no_bucket_is_refused(tmp_path):
    with pytest.raises(StorageRefused):
        PresignedUploads(StoreSettings("folder", str(tmp_path)))


@pytest.mark.parametrize(
    ("size", "length"), [(1, 16 << 20), (16 << 30, 16 << 20), (200 << 30, 21 << 20)]
)
def test_parts_are_as_long_as_wanted_or_as_there_must_be(size: int, length: int):
    assert part_length(size, 16 << 20) == length
