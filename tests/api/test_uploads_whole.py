"""Uploads in one piece: what is kept of them, what is refused, and what then is left."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from small_disks import mounted
from upload_service import (
    BOUNDARY,
    FORM,
    UploadService,
    code_of,
    form,
    recording,
    running_uploads,
    upload,
)

from stemset.api.uploads import keeping
from stemset.api.uploads.body import Pace
from stemset.jobs import recordings, uploads
from stemset.jobs.deletion import delete_recording
from stemset.jobs.recordings import Found
from stemset.jobs.removal import work_off
from stemset.storage.placing import place

QUICK = Pace(silence_s=0.3, window_s=0.6, window_bytes=1000)


@pytest.fixture
def service(database_conninfo: str, tmp_path: Path) -> Iterator[UploadService]:
    with running_uploads(database_conninfo, tmp_path) as running:
        yield running


@pytest.fixture
def client(service: UploadService) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def assert_nothing_is_left(service: UploadService) -> None:
    service.await_spools(some=False)
    assert service.stored() == {}
    assert list(service.bucket.iterdir()) == []
    assert (service.count("uploads"), service.count("recordings")) == (0, 0)


def test_upload_is_kept_under_its_own_name_and_noted(service: UploadService, client: httpx.Client):
    data = recording(seconds=1.5)

    answer = upload(client, form(data))

    assert answer.status_code == 200
    said = answer.json()
    assert len(said.pop("upload_id")) == 32
    assert said == {
        "filename": "take.wav",
        "size_bytes": len(data),
        "sha256": sha256_of(data),
        "recording_id": sha256_of(data),
        "profile_name": "h4n",
    }
    assert service.stored() == {"inputs/h4n/take.wav": data}
    assert service.spools == []
    found = service.in_ledger(lambda ledger: recordings.get(ledger, sha256_of(data)))
    assert (found.duration_s, found.rate_hz, found.channels) == (1.5, 8000, 1)
    assert (found.is_proven, found.owner, found.name) == (True, "me", "take")
    newest = service.in_ledger(lambda ledger: uploads.newest(ledger, "me", "take.wav"))
    assert newest.input_key == "inputs/h4n/take.wav"


def test_upload_by_a_library_for_scripts_is_kept(client: httpx.Client):
    data = recording()

    answer = client.post(
        "/api/upload", files={"file": ("a.wav", data)}, data={"profile_name": "other"}
    )

    assert answer.status_code == 200
    assert answer.json()["profile_name"] == "other"


@pytest.mark.parametrize("place", ["before", "after"])
def test_profile_is_found_before_and_after_the_file(
    service: UploadService, client: httpx.Client, place: str
):
    answer = upload(client, form(recording(), **{place: "other"}))

    assert answer.json()["profile_name"] == "other"
    assert list(service.stored()) == ["inputs/other/take.wav"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_profile_that_does_not_exist_is_refused(
    service: UploadService, client: httpx.Client, place: str
):
    answer = upload(client, form(recording(), **{place: "nope"}))

    assert code_of(answer) == (404, "profile_unknown")
    assert_nothing_is_left(service)


def test_profile_that_is_not_the_callers_is_refused_and_not_the_default(service: UploadService):
    with service.client(profiles="other") as client:
        refused = upload(client, form(recording(), before="h4n"))
        taken = upload(client, form(recording()))

    assert code_of(refused) == (403, "forbidden")
    assert taken.json()["profile_name"] == "other"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\r\nSet-Cookie: x.wav", "a  Set-Cookie: x.wav"),
        ('6" pipe.wav', '6" pipe.wav'),
        ("練習 🎸 מוזיקה.wav", "練習 🎸 מוזיקה.wav"),
        ("%2e%2e", "%2e%2e"),
        ("-rf", "-rf"),
        ("..", "recording"),
        ("CON", "CON"),
        ("x" * 300 + ".wav", "x" * 296 + ".wav"),
    ],
)
def test_name_whatever_it_holds_is_shown_and_makes_a_key_below_its_profile(
    service: UploadService, client: httpx.Client, name: str, shown: str
):
    data = recording()

    answer = upload(client, form(data, name))

    assert answer.status_code == 200
    assert answer.json()["filename"] == shown
    (key,) = service.stored()
    assert key.startswith("inputs/h4n/")
    assert len(Path(key).parts) == 3
    found = service.in_ledger(lambda ledger: uploads.newest(ledger, "me", name))
    assert found.input_key == key


def test_files_of_one_name_sent_at_once_are_all_kept(service: UploadService):
    files = [recording(seed=number) for number in range(6)]

    def send(data: bytes) -> int:
        with service.client() as client:
            return upload(client, form(data)).status_code

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(send, files)) == [200] * 6
    assert sorted(service.stored().values()) == sorted(files)


def test_file_that_is_proven_to_be_here_is_not_stored_again(
    service: UploadService, client: httpx.Client
):
    upload(client, form(recording(), "first.wav"))
    stored = service.bucket / "inputs/h4n/first.wav"
    before = stored.stat()

    answer = upload(client, form(recording(), "second.wav", after="other"))

    assert answer.status_code == 200
    assert list(service.stored()) == ["inputs/h4n/first.wav"]
    assert (stored.stat().st_ino, stored.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    newest = service.in_ledger(lambda ledger: uploads.newest(ledger, "me", "second.wav"))
    assert newest.input_key == "inputs/h4n/first.wav"


def test_file_that_is_only_said_to_be_here_is_stored_over_it(
    service: UploadService, client: httpx.Client
):
    data = recording()
    upload(client, form(data))
    stored = service.bucket / "inputs/h4n/take.wav"
    stored.unlink()
    stored.write_bytes(b"x" * len(data))
    said = Found(
        sha256=sha256_of(data),
        filename="take.wav",
        bytes=len(data),
        input_key="inputs/h4n/take.wav",
        is_proven=False,
        owner="you",
    )
    service.in_ledger(lambda ledger: forget_and_note(ledger, said))

    upload(client, form(data))

    assert stored.read_bytes() == data


async def forget_and_note(ledger, found: Found) -> None:
    await ledger.exec_driver_sql("DELETE FROM recordings")
    await recordings.note(ledger, found)


def test_file_that_vanished_from_the_store_is_stored_again(
    service: UploadService, client: httpx.Client
):
    upload(client, form(recording()))
    (service.bucket / "inputs/h4n/take.wav").unlink()

    upload(client, form(recording()))

    assert service.stored() == {"inputs/h4n/take.wav": recording()}


def test_recording_that_was_deleted_a_moment_ago_is_kept_when_it_comes_again(
    service: UploadService, client: httpx.Client
):
    upload(client, form(recording()))
    service.in_ledger(lambda ledger: delete_recording(ledger, sha256_of(recording()), None))

    upload(client, form(recording()))
    service.run(lambda: remove_all(service))

    assert service.stored() == {"inputs/h4n/take.wav": recording()}


def test_recording_that_is_deleted_while_it_comes_again_is_kept(
    service: UploadService, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    sha256 = sha256_of(recording())
    upload(client, form(recording()))
    service.in_ledger(lambda ledger: recordings.doubt(ledger, sha256))
    places = []

    def place_while_it_is_deleted(*arguments, **named) -> None:
        place(*arguments, **named)
        places.append(service.stored())
        if len(places) == 1:
            service.in_ledger(lambda ledger: delete_recording(ledger, sha256, None))
            service.run(lambda: remove_all(service))
            assert service.stored() == {}

    monkeypatch.setattr(keeping, "place", place_while_it_is_deleted)

    assert upload(client, form(recording())).status_code == 200

    assert len(places) == 2
    assert service.stored() == {"inputs/h4n/take.wav": recording()}
    assert service.in_ledger(lambda ledger: recordings.get(ledger, sha256)).is_proven


async def remove_all(service: UploadService) -> None:
    await work_off(service.service.database, service.service.store, service.service.threads)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "input_empty"),
        (b"<!doctype html><title>Sign in</title>", "audio_unsupported"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "audio_unsupported"),
        (b"PK\3\4" + bytes(1000), "audio_unsupported"),
        (bytes(range(256)) * 40, "audio_unsupported"),
        (recording()[:20], "audio_unsupported"),
    ],
)
def test_file_that_is_no_recording_is_refused_and_nothing_is_left(
    service: UploadService, client: httpx.Client, data: bytes, code: str
):
    answer = upload(client, form(data, "song.wav"))

    assert code_of(answer) == (422, code)
    assert str(service.service.scratch) not in answer.text
    assert_nothing_is_left(service)


def test_recording_that_is_too_long_is_refused_by_its_name(database_conninfo: str, tmp_path: Path):
    with (
        running_uploads(database_conninfo, tmp_path, max_duration_s=1.0) as service,
        service.client() as client,
    ):
        answer = upload(client, form(recording(seconds=1.5), "song.wav"))

        assert code_of(answer) == (422, "audio_too_long")
        assert "song.wav" in answer.json()["error"]["detail"]
        assert_nothing_is_left(service)


PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        f"--{BOUNDARY}--\r\n".encode(),
        form(recording()).replace(b'name="file"', b'name="data"'),
        f'{PART}; filename=""\r\n\r\n\r\n--{BOUNDARY}--\r\n'.encode(),
        f"{PART}\r\n\r\ntext\r\n--{BOUNDARY}--\r\n".encode(),
        form(recording())[: -len(BOUNDARY) - 6] + form(recording()),
        form(recording())[:-30],
        form(recording()).replace(b"Content-Disposition", b"Content Disposition"),
        form(recording(), before="h4n", after="h4n"),
        form(recording(), after="x" * 5000),
    ],
    ids=[
        "empty",
        "no form",
        "no part",
        "other field",
        "no file chosen",
        "text field",
        "two files",
        "cut off",
        "bad header",
        "two profiles",
        "long field",
    ],
)
def test_form_that_is_none_is_refused(service: UploadService, client: httpx.Client, body: bytes):
    answer = upload(client, body)

    assert code_of(answer) == (422, "request_invalid")
    assert_nothing_is_left(service)


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/form-data", f"multipart/mixed; boundary={BOUNDARY}"]
)
def test_body_of_another_type_is_refused(service: UploadService, client: httpx.Client, kind: str):
    answer = client.post(
        "/api/upload", content=form(recording()), headers={"content-type": kind} if kind else {}
    )

    assert answer.status_code == 422
    assert_nothing_is_left(service)


def test_file_that_is_announced_too_long_is_refused_before_it_is_sent(
    database_conninfo: str, tmp_path: Path
):
    with running_uploads(database_conninfo, tmp_path, max_upload_bytes=1000) as service:
        head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: 500000000"
        status, came = service.raw(head, form(bytes(1000))[:500]).answer()

        assert status == 413
        assert b"upload_too_large" in came
        assert b"connection: close" in came
        assert_nothing_is_left(service)


def test_file_that_turns_out_too_long_is_refused_while_it_is_sent(
    database_conninfo: str, tmp_path: Path
):
    with running_uploads(database_conninfo, tmp_path, max_upload_bytes=300_000) as service:
        head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked"
        body = form(bytes(400_000))[:-10]
        chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n"

        status, came = service.raw(head, chunk).answer()

        assert status == 413
        assert b"connection: close" in came
        assert_nothing_is_left(service)


def test_fields_that_do_not_end_are_refused(database_conninfo: str, tmp_path: Path):
    with (
        running_uploads(database_conninfo, tmp_path, max_upload_bytes=300_000) as service,
        service.client() as client,
    ):
        pieces = iter([form(recording()), *[bytes(50_000)] * 10])
        answer = client.post("/api/upload", content=pieces, headers={"content-type": FORM})

        assert code_of(answer) == (413, "upload_too_large")
        assert_nothing_is_left(service)


def test_client_that_goes_away_near_the_end_leaves_nothing(service: UploadService):
    body = form(recording(seconds=60))
    head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: {len(body)}"
    raw = service.raw(head, body[: int(0.99 * len(body))])
    service.await_spools(some=True)

    raw.drop()

    assert_nothing_is_left(service)


def test_client_that_falls_silent_is_given_up(database_conninfo: str, tmp_path: Path):
    with running_uploads(database_conninfo, tmp_path, pace=QUICK) as service:
        head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: 100000"
        status, came = service.raw(head, form(recording())[:500]).answer()

        assert status == 408
        assert b"upload_stalled" in came
        assert b"connection: close" in came
        assert_nothing_is_left(service)


def test_client_that_only_trickles_is_given_up(database_conninfo: str, tmp_path: Path):
    body = form(recording())
    with running_uploads(database_conninfo, tmp_path, pace=QUICK) as service:
        head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: {len(body)}"
        raw = service.raw(head)
        raw.socket.settimeout(0.05)
        came = b""
        for byte in body:
            try:
                raw.send(bytes([byte]))
                came = raw.socket.recv(1000)
                break
            except TimeoutError:
                continue

        raw.drop()
        assert came.startswith(b"HTTP/1.1 408")
        assert_nothing_is_left(service)


@pytest.mark.alone
def test_client_that_is_slow_but_steady_is_waited_for(database_conninfo: str, tmp_path: Path):
    body = form(recording())
    pace = replace(QUICK, window_s=0.1, window_bytes=10)
    with running_uploads(database_conninfo, tmp_path, pace=pace) as service:
        head = (
            f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\nconnection: close\r\n"
            f"content-length: {len(body)}"
        )
        raw = service.raw(head)
        raw.socket.settimeout(0.05)
        for start in range(0, 7000, 1000):
            raw.send(body[start : start + 1000])
            with pytest.raises(TimeoutError):
                raw.socket.recv(1)
        raw.socket.settimeout(10)
        raw.send(body[7000:])

        assert raw.answer()[0] == 200


def test_uploads_beyond_the_limit_are_put_off(database_conninfo: str, tmp_path: Path):
    body = form(recording())
    head = f"POST /api/upload HTTP/1.1\r\ncontent-type: {FORM}\r\ncontent-length: {len(body)}"
    with (
        running_uploads(database_conninfo, tmp_path, max_uploads=1) as service,
        service.client() as client,
    ):
        first = service.raw(head, body[:1000])
        service.await_spools(some=True)

        put_off = upload(client, body)
        first.drop()
        service.await_spools(some=False)
        taken = upload(client, body)

    assert code_of(put_off) == (503, "service_busy")
    assert int(put_off.headers["retry-after"]) > 0
    assert taken.status_code == 200


def test_disk_that_is_full_refuses_an_upload_and_takes_the_next(
    database_conninfo: str, tmp_path: Path
):
    with (
        mounted(tmp_path / "disk", "4m") as disk,
        running_uploads(database_conninfo, tmp_path, scratch=disk) as service,
        service.client() as client,
    ):
        body = form(recording(seconds=400))
        announced = upload(client, body)
        unannounced = client.post(
            "/api/upload",
            content=(body[start : start + 65_536] for start in range(0, len(body), 65_536)),
            headers={"content-type": FORM},
        )

        assert code_of(announced) == (507, "no_space")
        assert code_of(unannounced) == (507, "no_space")
        assert_nothing_is_left(service)
        assert upload(client, form(recording())).status_code == 200
        assert service.stored() == {"inputs/h4n/take.wav": recording()}


def test_service_that_takes_uploads_loads_no_decoder(tmp_path: Path):
    path = tmp_path / "take"
    path.write_bytes(recording())
    program = (
        "import sys\n"
        "from stemset.api.routes import uploads\n"
        "from stemset.audio.decode import probe\n"
        "print(probe(sys.argv[1]).rate_hz, *{'av', 'onnxruntime', 'torch'} & set(sys.modules))"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert result.stdout.split() == ["8000"]
