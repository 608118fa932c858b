"""Quotas: a profile that has no room takes nothing new, and loses nothing."""

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from aged_stems import OUTPUT_BYTES
from library_service import make_output, make_recording, world_of
from service_client import RunningService, running_service
from standing_stems import accepted, found, note_upload, request
from upload_service import FORM, code_of, form, recording

from stemset.api.quotas import check_upload
from stemset.errors import QuotaExceeded
from stemset.jobs import ledger, uploads
from stemset.jobs.stored import count_bytes
from stemset.jobs.uploads import Method, Wanted
from stemset.storage.settings import StoreSettings

MB = 1_000_000
CONFIG = """
profiles:
  - {name: h4n, source_folder: ., quota: 1MB}
  - {name: songs, source_folder: .}
"""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def running(
    request: pytest.FixtureRequest, database_conninfo: str, tmp_path: Path
) -> Iterator[RunningService]:
    bucket: StoreSettings | None = None
    if request.param == "s3":
        bucket = request.getfixturevalue("bucket_settings")
    with running_service(
        tmp_path, database_conninfo, config=CONFIG, store_settings=bucket
    ) as service:
        yield service


@pytest.fixture
def client(running: RunningService) -> httpx.Client:
    return running.client


def fill(running: RunningService, size_bytes: int, profile: str = "h4n") -> str:
    """A recording of this length, as the ledger knows it. Returns its id."""
    large = found(9, bytes=size_bytes, input_key=f"inputs/{profile}/take 9.wav")
    running.run(lambda: note_upload(world_of(running), large, profile))
    return large.sha256


def used(running: RunningService, profile: str = "h4n") -> int:
    return running.in_transaction(lambda connection: count_bytes(connection, profile))


def upload(client: httpx.Client, data: bytes, profile: str = "h4n") -> httpx.Response:
    body = form(data, before=profile)
    return client.post("/api/upload", content=body, headers={"content-type": FORM})


def begin(client: httpx.Client, size_bytes: int, **more: Any) -> httpx.Response:
    announced = {"filename": "take.wav", "size_bytes": size_bytes, "mark": "m", **more}
    return client.post("/api/uploads", json={"profile_name": "h4n", **announced})


def process(client: httpx.Client, recording_id: str, profile: str = "h4n") -> httpx.Response:
    wanted = {"profile_name": profile}
    return client.post(f"/api/recordings/{recording_id}/process", json=wanted)


def test_bytes_that_count_are_inputs_outputs_and_uploads_of_the_profile(
    running: RunningService, client: httpx.Client
):
    one = make_recording(running, 1)
    make_output(running, one)
    make_output(running, one, "songs")
    make_recording(running, 2, "songs")  # which lies below h4n all the same
    begin(client, 5000)
    begin(client, 700, profile_name="songs")
    gone = fill(running, 10_000)
    client.delete(f"/api/recordings/{gone}")

    assert used(running) == one.bytes + found(2).bytes + OUTPUT_BYTES + 5000
    assert used(running, "songs") == OUTPUT_BYTES + 700
    assert used(running, "h4") == used(running, "h_n") == 0


def test_upload_for_which_there_is_no_room_is_refused_with_the_figures(
    running: RunningService, client: httpx.Client
):
    fill(running, 999_000)

    refused = begin(client, 1001)

    assert code_of(refused) == (409, "quota_exceeded")
    detail = refused.json()["error"]["detail"]
    assert "'h4n' may hold 1,000,000 bytes" in detail
    assert "with this file it would hold 1,000,001 bytes" in detail
    assert client.get("/api/uploads").json() == []
    assert begin(client, 1000).status_code == 200
    assert begin(client, 5000, profile_name="songs").status_code == 200


def test_upload_in_one_piece_for_which_there_is_no_room_leaves_nothing(
    running: RunningService, client: httpx.Client
):
    fill(running, 990_000)
    small, large = recording(0.1), recording(1.0)

    refused = upload(client, large)

    assert code_of(refused) == (409, "quota_exceeded")
    assert list((running.service.scratch / "uploads").glob("*")) == []
    assert [info.key for info in running.service.store.list_below("inputs")] == []
    assert upload(client, small).status_code == 200
    assert upload(client, large, "songs").status_code == 200


def test_upload_in_one_piece_of_what_is_here_already_needs_no_room(
    running: RunningService, client: httpx.Client
):
    song = recording(1.0)
    assert upload(client, song).status_code == 200
    fill(running, MB - len(song))

    assert upload(client, song).status_code == 200
    known = {"sha256": hashlib.sha256(song).hexdigest()}
    assert begin(client, len(song), **known).json()["state"] == "complete"


def test_upload_to_a_full_profile_is_refused_before_its_bytes_are_read(
    running: RunningService, client: httpx.Client
):
    fill(running, MB + 1)

    class Endless(httpx.SyncByteStream):
        sent = 0

        def __iter__(self) -> Iterator[bytes]:
            start, _, _ = form(b"x", before="h4n").partition(b"\r\n\r\nx\r\n")
            yield start + b"\r\n\r\n"
            while True:
                self.sent += 1
                yield bytes(65_536)

    body = Endless()
    try:
        answer = client.post("/api/upload", content=body, headers={"content-type": FORM})
    except httpx.TransportError:  # the service closed the connection
        assert body.sent < 1000
    else:
        assert code_of(answer) == (409, "quota_exceeded")


def test_upload_that_had_room_is_gone_on_with(running: RunningService, client: httpx.Client):
    begun = begin(client, 1000).json()
    fill(running, MB)

    assert begin(client, 1000).json()["upload_id"] == begun["upload_id"]


def test_uploads_that_begin_at_once_share_the_room(running: RunningService, client: httpx.Client):
    fill(running, 996_500)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: begin(client, 1000, mark=str(number)), range(8)))

    assert sorted(each.status_code for each in answers) == [200] * 3 + [409] * 5


def test_room_that_another_upload_is_about_to_take_is_waited_for(running: RunningService):
    fill(running, 999_000)
    service = running.service

    async def begin_one(upload_id: str) -> None:
        wanted = Wanted(
            id=upload_id,
            owner=upload_id,
            filename="take.wav",
            profile="h4n",
            method=Method.DIRECT,
            size_bytes=600,
        )
        async with service.database.transaction() as connection:
            await uploads.begin(connection, wanted)
            await check_upload(service, connection, "h4n")
            await asyncio.sleep(0.3)

    async def both() -> list[BaseException | None]:
        ends = await asyncio.gather(begin_one("one"), begin_one("other"), return_exceptions=True)
        return list(ends)

    ends = running.run(both)

    assert [type(end) for end in ends if end] == [QuotaExceeded]
    assert used(running) == 999_600


def test_job_of_a_full_profile_is_refused_with_the_figures(
    running: RunningService, client: httpx.Client
):
    full = fill(running, MB)

    refused = process(client, full)

    assert code_of(refused) == (409, "quota_exceeded")
    detail = refused.json()["error"]["detail"]
    assert "'h4n' may hold 1,000,000 bytes" in detail
    assert "it holds 1,000,000 bytes" in detail
    assert client.get("/api/jobs").json()["jobs"] == []
    assert process(client, full, "songs").status_code == 200
    named = {"profile_name": "h4n", "filename": "take 9.wav"}
    assert code_of(client.post("/api/process", json=named)) == (409, "quota_exceeded")


def test_job_that_was_taken_is_found_again_when_the_profile_is_full(
    running: RunningService, client: httpx.Client
):
    one = make_recording(running, 1)
    taken = process(client, one.sha256).json()
    fill(running, MB)

    assert process(client, one.sha256).json() == {**taken, "created": False}


def test_retry_of_a_full_profile_is_refused_unless_it_was_taken(
    running: RunningService, client: httpx.Client
):
    ids = []
    for number in (1, 2):
        one = make_recording(running, number)
        wanted = request(one)
        job = running.run(lambda wanted=wanted: accepted(world_of(running), wanted))
        running.in_transaction(lambda connection, job=job: ledger.cancel(connection, job.id))
        ids.append(job.id)
    retried = client.post(f"/api/jobs/{ids[0]}/retry").json()
    fill(running, MB)

    assert client.post(f"/api/jobs/{ids[0]}/retry").json()["job_id"] == retried["job_id"]
    assert code_of(client.post(f"/api/jobs/{ids[1]}/retry")) == (409, "quota_exceeded")


def test_quota_that_is_exceeded_removes_nothing(running: RunningService, client: httpx.Client):
    one = make_recording(running, 1)
    _, output_id = make_output(running, one)
    full = fill(running, 5 * MB)

    process(client, full)

    assert client.get(f"/api/outputs/{output_id}").status_code == 200
    assert client.get("/api/recordings").json()["total"] == 2
