"""Uploads in parts through the service: gone on with after any break, and ended once."""

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_disks import mounted
from sqlalchemy import func, update
from upload_service import UploadService, code_of, recording, running_uploads

from stemset.api.uploads import direct
from stemset.api.uploads.body import Pace
from stemset.api.uploads.collection import collect
from stemset.jobs import events, tables

PART = 100_000


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that a small file has several of."""
    monkeypatch.setattr(direct, "PART_BYTES", PART)


@pytest.fixture
def service(database_conninfo: str, tmp_path: Path) -> Iterator[UploadService]:
    with running_uploads(database_conninfo, tmp_path) as running:
        yield running


@pytest.fixture
def client(service: UploadService) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


SONG = recording(seconds=21.9)  # 3 whole parts and a shorter one
SHA256 = hashlib.sha256(SONG).hexdigest()


def begin(client: httpx.Client, data: bytes = SONG, **more: object) -> dict[str, Any]:
    announced = {"filename": "take.wav", "size_bytes": len(data), "mark": "m", **more}
    answer = client.post("/api/uploads", json=announced)
    assert answer.status_code == 200, answer.text
    return answer.json()


def part_of(data: bytes, number: int) -> bytes:
    return data[(number - 1) * PART : number * PART]


def put(client: httpx.Client, upload_id: str, number: int, data: bytes = SONG) -> httpx.Response:
    return client.put(f"/api/uploads/{upload_id}/parts/{number}", content=part_of(data, number))


def put_all(client: httpx.Client, data: bytes = SONG, **more: Any) -> str:
    begun = begin(client, data, **more)
    for number in range(begun["parts"], 0, -1):
        assert put(client, begun["upload_id"], number, data).status_code == 204
    return begun["upload_id"]


def complete(client: httpx.Client, upload_id: str, **said: object) -> httpx.Response:
    return client.post(f"/api/uploads/{upload_id}/complete", json=said)


def received(client: httpx.Client, upload_id: str) -> list[int]:
    return client.get(f"/api/uploads/{upload_id}").json()["received"]


def await_spools(service: UploadService, count: int) -> None:
    until = time.monotonic() + 10
    while len(service.spools) != count:
        assert time.monotonic() < until
        time.sleep(0.01)


def assert_nothing_is_left(service: UploadService) -> None:
    service.await_spools(some=False)
    assert service.stored() == {}
    assert (service.count("uploads"), service.count("recordings")) == (0, 0)


def test_upload_in_parts_becomes_a_recording(service: UploadService, client: httpx.Client):
    begun = begin(client, filename="folder/take.wav", profile_name="other")
    assert (begun["method"], begun["part_bytes"], begun["parts"]) == ("direct", PART, 4)
    assert (begun["received"], begun["state"], begun["filename"]) == ([], "receiving", "take.wav")
    for number in (4, 1, 3, 2):
        assert put(client, begun["upload_id"], number).status_code == 204

    done = complete(client, begun["upload_id"], sha256=SHA256)

    assert done.status_code == 200
    said = done.json()
    assert (said["state"], said["recording_id"], said["received"]) == (
        "complete",
        SHA256,
        [1, 2, 3, 4],
    )
    assert service.stored() == {"inputs/other/take.wav": SONG}
    assert service.spools == []
    assert client.get("/api/uploads").json() == []


def test_upload_is_gone_on_with_after_a_reload(client: httpx.Client):
    begun = begin(client)
    put(client, begun["upload_id"], 2)

    again = begin(client)

    assert (again["upload_id"], again["received"]) == (begun["upload_id"], [2])
    assert [each["received"] for each in client.get("/api/uploads").json()] == [[2]]


def test_upload_is_gone_on_with_after_a_restart(database_conninfo: str, tmp_path: Path):
    with running_uploads(database_conninfo, tmp_path) as service, service.client() as client:
        upload_id = begin(client)["upload_id"]
        for number in (1, 4):
            put(client, upload_id, number)

    with running_uploads(database_conninfo, tmp_path) as service, service.client() as client:
        assert begin(client)["received"] == [1, 4]
        for number in (2, 3):
            put(client, upload_id, number)
        assert complete(client, upload_id, sha256=SHA256).status_code == 200
        assert service.stored() == {"inputs/h4n/take.wav": SONG}


def test_parts_whose_file_is_gone_are_not_claimed(service: UploadService, client: httpx.Client):
    upload_id = put_all(client)
    (service.service.scratch / "uploads" / upload_id).unlink()

    assert received(client, upload_id) == []
    assert code_of(complete(client, upload_id)) == (409, "upload_incomplete")
    put(client, upload_id, 1)
    assert received(client, upload_id) == [1]


@pytest.mark.parametrize(
    ("number", "content"),
    [
        (1, SONG[: PART - 1]),
        (1, SONG[: PART + 1]),
        (4, SONG[:PART]),
        (5, SONG[:PART]),
        (1, b""),
        (1, iter([SONG[: PART - 1]])),
        (1, iter([SONG[:PART], b"x"])),
    ],
)
def test_part_of_another_length_is_refused(
    service: UploadService, client: httpx.Client, number: int, content: Any
):
    upload_id = begin(client)["upload_id"]

    answer = client.put(f"/api/uploads/{upload_id}/parts/{number}", content=content)

    assert code_of(answer) == (400, "upload_mismatch")
    assert received(client, upload_id) == []
    assert service.spools == [upload_id]


def test_part_that_breaks_off_is_not_received_and_spoils_nothing(
    service: UploadService, client: httpx.Client
):
    upload_id = put_all(client)
    raw = service.raw(
        f"PUT /api/uploads/{upload_id}/parts/1 HTTP/1.1\r\ncontent-length: {PART}",
        b"\xff" * (PART - 1000),
    )
    await_spools(service, 2)
    raw.drop()
    await_spools(service, 1)

    assert complete(client, upload_id, sha256=SHA256).status_code == 200


def test_part_whose_client_falls_silent_is_given_up(database_conninfo: str, tmp_path: Path):
    pace = Pace(silence_s=0.2)
    with (
        running_uploads(database_conninfo, tmp_path, pace=pace) as service,
        service.client() as client,
    ):
        upload_id = begin(client)["upload_id"]
        head = f"PUT /api/uploads/{upload_id}/parts/1 HTTP/1.1\r\ncontent-length: {PART}"

        status, came = service.raw(head, SONG[:1000]).answer()

        assert (status, b"upload_stalled" in came) == (408, True)
        assert received(client, upload_id) == []
        assert service.spools == [upload_id]


def test_parts_sent_by_two_pages_at_once_are_received_once(
    service: UploadService, client: httpx.Client
):
    upload_id = begin(client)["upload_id"]

    def send(number: int) -> int:
        with service.client() as page:
            return put(page, upload_id, number).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(send, [1, 2, 3, 4] * 4)) == {204}

    assert received(client, upload_id) == [1, 2, 3, 4]
    assert complete(client, upload_id, sha256=SHA256).status_code == 200
    assert service.stored() == {"inputs/h4n/take.wav": SONG}


def test_upload_that_lacks_parts_is_not_ended_and_they_are_named(
    service: UploadService, client: httpx.Client
):
    upload_id = begin(client)["upload_id"]
    put(client, upload_id, 2)

    answer = complete(client, upload_id)

    assert code_of(answer) == (409, "upload_incomplete")
    assert "missing: 1, 3, 4." in answer.json()["error"]["detail"]
    assert received(client, upload_id) == [2]
    assert service.stored() == {}


def test_upload_is_ended_once_however_often_and_at_once_it_is_asked_for(
    service: UploadService, client: httpx.Client
):
    upload_id = put_all(client)

    def end(_: int) -> str:
        with service.client() as page:
            return complete(page, upload_id).text

    with ThreadPoolExecutor(6) as threads:
        answers = set(threads.map(end, range(6)))
    answers.add(complete(client, upload_id, sha256=SHA256).text)

    assert len(answers) == 1
    told = service.in_ledger(lambda ledger: events.since(ledger, 0, 10))
    assert [event.kind for event in told] == ["recording"]
    assert code_of(complete(client, upload_id, sha256="0" * 64)) == (400, "upload_mismatch")


def test_upload_that_is_complete_takes_no_part_and_is_not_aborted(client: httpx.Client):
    upload_id = put_all(client)
    complete(client, upload_id)

    assert code_of(put(client, upload_id, 1)) == (409, "upload_complete")
    assert code_of(client.delete(f"/api/uploads/{upload_id}")) == (409, "upload_complete")


def test_upload_that_is_aborted_is_gone(service: UploadService, client: httpx.Client):
    upload_id = put_all(client)

    assert client.delete(f"/api/uploads/{upload_id}").status_code == 204

    assert_nothing_is_left(service)
    for answer in (
        put(client, upload_id, 1),
        complete(client, upload_id),
        client.get(f"/api/uploads/{upload_id}"),
        client.delete(f"/api/uploads/{upload_id}"),
    ):
        assert code_of(answer) == (404, "upload_not_found")


@pytest.mark.parametrize("when", ["at its begin", "at its end"])
def test_upload_with_another_hash_than_announced_is_removed(
    service: UploadService, client: httpx.Client, when: str
):
    wrong = {"sha256": "0" * 64}
    upload_id = put_all(client, SONG, **(wrong if when == "at its begin" else {}))

    answer = complete(client, upload_id, **(wrong if when == "at its end" else {}))

    assert code_of(answer) == (400, "upload_mismatch")
    assert_nothing_is_left(service)


def test_upload_that_is_no_recording_is_removed(service: UploadService, client: httpx.Client):
    data = b"<!doctype html>" * 10_000
    upload_id = put_all(client, data)

    assert code_of(complete(client, upload_id)) == (422, "audio_unsupported")
    assert_nothing_is_left(service)


@pytest.mark.parametrize(
    ("size", "status", "code"), [(0, 422, "input_empty"), (2000, 413, "upload_too_large")]
)
def test_upload_of_a_length_that_is_not_accepted_is_refused(
    database_conninfo: str, tmp_path: Path, size: int, status: int, code: str
):
    with (
        running_uploads(database_conninfo, tmp_path, max_upload_bytes=1000) as service,
        service.client() as client,
    ):
        answer = client.post("/api/uploads", json={"filename": "a.wav", "size_bytes": size})

    assert code_of(answer) == (status, code)


def test_uploads_of_others_are_not_there(service: UploadService, client: httpx.Client):
    upload_id = put_all(client)

    with service.client(caller="you") as other:
        assert other.get("/api/uploads").json() == []
        assert begin(other)["upload_id"] != upload_id
        for answer in (
            put(other, upload_id, 1),
            complete(other, upload_id),
            other.get(f"/api/uploads/{upload_id}"),
            other.delete(f"/api/uploads/{upload_id}"),
            other.post(f"/api/uploads/{upload_id}/links", json={"parts": [1]}),
        ):
            assert code_of(answer) == (404, "upload_not_found")


def test_recording_that_is_here_need_not_be_sent(service: UploadService, client: httpx.Client):
    complete(client, put_all(client))

    with service.client(caller="you") as other:
        begun = begin(other, filename="mine.wav", sha256=SHA256)

    assert (begun["state"], begun["received"]) == ("complete", [1, 2, 3, 4])
    assert begun["recording_id"] == SHA256
    assert list(service.stored()) == ["inputs/h4n/take.wav"]


def test_recording_that_is_here_must_be_sent_by_whoever_may_not_see_it(
    service: UploadService, client: httpx.Client
):
    complete(client, put_all(client))

    with service.client(caller="you", profiles="other") as other:
        begun = begin(other, sha256=SHA256)

    assert (begun["state"], begun["received"], begun["recording_id"]) == ("receiving", [], None)


def test_links_are_not_made_for_parts_that_are_sent_to_the_service(client: httpx.Client):
    upload_id = begin(client)["upload_id"]

    answer = client.post(f"/api/uploads/{upload_id}/links", json={"parts": [1]})

    assert code_of(answer) == (400, "upload_mismatch")


def test_disk_that_is_full_refuses_parts_and_takes_them_when_there_is_room(
    database_conninfo: str, tmp_path: Path
):
    with (
        mounted(tmp_path / "disk", "1m") as disk,
        running_uploads(database_conninfo, tmp_path, scratch=disk) as service,
        service.client() as client,
    ):
        upload_id = begin(client)["upload_id"]
        put(client, upload_id, 1)
        (disk / "other").write_bytes(bytes(740_000))

        refused = put(client, upload_id, 2)
        (disk / "other").unlink()

        assert code_of(refused) == (507, "no_space")
        assert received(client, upload_id) == [1]
        assert service.spools == [upload_id]
        for number in (2, 3, 4):
            assert put(client, upload_id, number).status_code == 204
        assert complete(client, upload_id, sha256=SHA256).status_code == 200


def test_upload_that_the_disk_has_no_room_for_is_not_begun(database_conninfo: str, tmp_path: Path):
    with (
        mounted(tmp_path / "disk", "1m") as disk,
        running_uploads(database_conninfo, tmp_path, scratch=disk) as service,
        service.client() as client,
    ):
        answer = client.post("/api/uploads", json={"filename": "a.wav", "size_bytes": 1 << 20})

        assert code_of(answer) == (507, "no_space")
        assert_nothing_is_left(service)


def test_collection_removes_what_nobody_goes_on_with(service: UploadService, client: httpx.Client):
    old = put_all(client, mark="old")
    kept = put_all(client, mark="kept")
    folder = service.service.scratch / "uploads"
    for name in ("orphan", f"{kept}.1.ab", "young"):
        (folder / name).write_bytes(b"x")
    for path in folder.iterdir():
        if path.name != "young":
            os.utime(path, (0, 0))
    change = update(tables.uploads).where(tables.uploads.c.id == old)
    age = change.values(touched_at=func.now() - timedelta(hours=3))
    service.in_ledger(lambda ledger: ledger.execute(age))

    removed = service.run(lambda: collect(service.service, timedelta(hours=1)))

    assert {each.id for each in removed} == {old, "orphan", f"{kept}.1.ab"}
    assert service.spools == sorted([kept, "young"])
    assert [each["upload_id"] for each in client.get("/api/uploads").json()] == [kept]
    assert complete(client, kept, sha256=SHA256).status_code == 200


def test_collection_leaves_an_upload_that_is_under_way(
    service: UploadService, client: httpx.Client
):
    upload_id = begin(client)["upload_id"]
    raw = service.raw(
        f"PUT /api/uploads/{upload_id}/parts/1 HTTP/1.1\r\nconnection: close\r\n"
        f"content-length: {PART}",
        SONG[:1000],
    )
    await_spools(service, 2)
    for path in (service.service.scratch / "uploads").iterdir():
        os.utime(path, (0, 0))

    service.run(lambda: collect(service.service, timedelta(hours=1)))
    raw.send(SONG[1000:PART])

    assert raw.answer()[0] == 204
    assert received(client, upload_id) == [1]
