"""Outputs over HTTP: listed, looked at, downloaded under a name people know, deleted."""

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from library_service import await_that, make_output, make_recording, world_of
from service_client import RunningService, running_service
from standing_stems import STEMS, put_output

from stemset.jobs.adoption import adopt
from stemset.jobs.caller import Scope
from stemset.storage.settings import StoreSettings


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def rename(running: RunningService, sha256: str, name: str) -> None:
    answer = running.client.patch(f"/api/recordings/{sha256}", json={"name": name})
    assert answer.status_code == 200


def saved_as(answer: httpx.Response) -> str:
    """The name that a browser saves a download under."""
    header = answer.headers["content-disposition"]
    assert header.startswith("attachment; ")
    assert re.fullmatch(r"[ -~]+", header)
    if extended := re.search(r"filename\*=UTF-8''([^;]+)$", header):
        return unquote(extended[1])
    plain = re.search(r'filename="([^"]*)"$', header)
    assert plain is not None
    return plain[1]


def test_outputs_are_listed_the_newest_first_and_by_profile(running: RunningService):
    one, other = make_recording(running), make_recording(running, 2)
    made = [
        make_output(running, one)[1],
        make_output(running, one, "songs")[1],
        make_output(running, other)[1],
    ]

    def ids(**query: str) -> list[str]:
        page = running.client.get("/api/outputs", params=query).json()
        return [each["output_id"] for each in page["outputs"]]

    assert ids() == made[::-1]
    assert ids(profile="h4n") == [made[2], made[0]]
    assert ids(search="TAKE 2") == [made[2]]
    page = running.client.get("/api/outputs", params={"limit": 2}).json()
    assert ids(limit="2", cursor=page["next_cursor"]) == [made[0]]


def test_output_shows_metadata_and_files_that_can_be_fetched(running: RunningService):
    recording = make_recording(running)
    job, output_id = make_output(running, recording)

    view = running.client.get(f"/api/outputs/{output_id}").json()

    assert (view["job_id"], view["profile_name"]) == (job.id, "h4n")
    assert view["recording_name"] == "take 1"
    assert view["metadata"]["stems"]["vocals"]["stem_url"] == "vocals.wav"
    files = {each["name"]: each for each in view["files"]}
    assert set(files) == {"vocals.wav", "vocals.png", "bass.wav", "bass.png"}
    for stem, data in STEMS.items():
        file = files[f"{stem}.wav"]
        fetched = httpx.get(running.url + file["url"])
        assert fetched.content == data
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["content_type"] == fetched.headers["content-type"] == "audio/wav"


@pytest.mark.s3
def test_output_in_a_bucket_has_presigned_urls(
    tmp_path: Path, database_conninfo: str, bucket_settings: StoreSettings
):
    with running_service(tmp_path, database_conninfo, store_settings=bucket_settings) as running:
        recording = make_recording(running)
        _, output_id = make_output(running, recording)
        view = running.client.get(f"/api/outputs/{output_id}").json()
        files = {each["name"]: each["url"] for each in view["files"]}

        assert files["vocals.wav"].startswith(bucket_settings.endpoint)
        headers = {"range": "bytes=0-1"}
        answer = httpx.get(files["vocals.wav"], headers=headers, trust_env=False)
        assert (answer.status_code, answer.content) == (206, STEMS["vocals"][:2])

        answer = running.client.get(
            f"/api/outputs/{output_id}/files/vocals.wav", headers={"range": "bytes=1-3"}
        )
        assert (answer.status_code, answer.content) == (206, STEMS["vocals"][1:4])
        answer = running.client.get(f"/api/outputs/{output_id}/zip")
        assert STEMS["vocals"] in answer.content


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("take 1", "take 1 - vocals.wav"),
        ("../../etc/passwd", "_.._etc_passwd - vocals.wav"),
        ('say "hi" 100%', "say _hi_ 100% - vocals.wav"),
        ("Über den Wolken", "Über den Wolken - vocals.wav"),
        ("🎸🥁 live", "🎸🥁 live - vocals.wav"),
        ("עברית", "עברית - vocals.wav"),
        ("a\u202egpj.exe", "a gpj.exe - vocals.wav"),
        ("CON", "_CON - vocals.wav"),
        ("-rf", "_-rf - vocals.wav"),
        ("%2e%2e", "%2e%2e - vocals.wav"),
        ("a:b|c?d*e<f>", "a_b_c_d_e_f_ - vocals.wav"),
        ("...", "recording - vocals.wav"),
        ("x" * 200, "x" * 150 + " - vocals.wav"),
        ("é" * 200, "é" * 75 + " - vocals.wav"),
    ],
)
def test_download_is_saved_under_a_name_that_every_system_takes(
    running: RunningService, name: str, expected: str
):
    recording = make_recording(running)
    _, output_id = make_output(running, recording)
    rename(running, recording.sha256, name)

    answer = running.client.get(f"/api/outputs/{output_id}/files/vocals.wav")

    assert answer.content == STEMS["vocals"]
    assert answer.headers["content-type"] == "audio/wav"
    assert saved_as(answer) == expected


def test_download_goes_on_where_it_broke(running: RunningService):
    _, output_id = make_output(running, make_recording(running))
    path = f"/api/outputs/{output_id}/files/vocals.wav"
    begun = running.client.get(path)
    headers = {"range": "bytes=3-", "if-range": begun.headers["etag"]}

    answer = running.client.get(path, headers=headers)

    assert (answer.status_code, answer.content) == (206, STEMS["vocals"][3:])
    assert answer.headers["content-range"] == "bytes 3-7/8"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("drums.wav", 404),
        ("manifest.json", 404),
        ("claim.json", 404),
        ("..%2f..%2fmetadata.json", 404),
        ("%2e%2e", 422),
        ("vocals.wav%00", 422),
        (".hidden", 422),
    ],
)
def test_file_that_is_none_of_the_output_is_refused(
    running: RunningService, name: str, status: int
):
    _, output_id = make_output(running, make_recording(running))

    assert running.client.get(f"/api/outputs/{output_id}/files/{name}").status_code == status


def test_file_that_is_missing_in_the_store_is_not_found(running: RunningService):
    job, output_id = make_output(running, make_recording(running))
    running.service.store.delete([f"outputs/h4n/{job.output_name}/{job.attempt}/vocals.wav"])

    for path in ("files/vocals.wav", "zip"):
        answer = running.client.get(f"/api/outputs/{output_id}/{path}")
        assert error_of(answer) == (404, "object_not_found")


@pytest.mark.parametrize("path", ["", "/zip", "/files/vocals.wav"])
def test_output_that_is_not_there_is_not_found(client: httpx.Client, path: str):
    assert error_of(client.get(f"/api/outputs/{'0' * 32}{path}")) == (404, "output_not_found")


def test_output_deleted_is_gone_and_its_objects_soon(running: RunningService):
    recording = make_recording(running)
    _, output_id = make_output(running, recording)

    assert running.client.delete(f"/api/outputs/{output_id}").status_code == 204

    for path in ("", "/zip", "/files/vocals.wav"):
        assert running.client.get(f"/api/outputs/{output_id}{path}").status_code == 404
    await_that(lambda: not running.run(lambda: world_of(running).keys("outputs")))
    assert running.client.get(f"/api/recordings/{recording.sha256}").json()["outputs"] == []
    assert error_of(running.client.delete(f"/api/outputs/{output_id}")) == (404, "output_not_found")


def test_output_of_a_command_line_is_served_once_it_was_adopted(running: RunningService):
    service = running.service
    put_output(service.store, make_recording(running))
    running.run(lambda: adopt(service.database, service.store, service.threads))

    (summary,) = running.client.get("/api/outputs").json()["outputs"]
    assert summary["job_id"] is None
    view = running.client.get(f"/api/outputs/{summary['output_id']}").json()
    urls = {each["name"]: each["url"] for each in view["files"]}
    assert httpx.get(running.url + urls["bass.wav"]).content == STEMS["bass"]


def test_callers_see_outputs_of_their_profiles_only(guarded: RunningService):
    recording = make_recording(guarded)
    _, own = make_output(guarded, recording)
    _, foreign = make_output(guarded, recording, "songs")

    with guarded.caller(guarded.make_token(Scope.READ, "h4n")) as reader:
        page = reader.get("/api/outputs").json()
        assert [each["output_id"] for each in page["outputs"]] == [own]
        assert reader.get(f"/api/outputs/{own}/zip").status_code == 200
        assert error_of(reader.delete(f"/api/outputs/{own}")) == (403, "forbidden")
        for path in ("", "/zip", "/files/vocals.wav"):
            answer = reader.get(f"/api/outputs/{foreign}{path}")
            assert error_of(answer) == (404, "output_not_found")
    for path in ("", "/zip", "/files/vocals.wav"):
        assert guarded.client.get(f"/api/outputs/{own}{path}").status_code == 401
