"""Recordings of the library, separated with another profile or again."""

import httpx
from library_service import make_output, make_recording, world_of
from service_client import RunningService
from standing_stems import found, note, note_upload, put_input

from stemset.jobs.caller import Scope


def ordered(client: httpx.Client, recording_id: str, **body: str) -> httpx.Response:
    wanted = {"profile_name": "songs"} | body
    return client.post(f"/api/recordings/{recording_id}/process", json=wanted)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_recording_is_separated_with_another_profile(running: RunningService):
    recording = make_recording(running)
    make_output(running, recording)

    answer = ordered(running.client, recording.sha256)

    accepted = answer.json()
    assert (answer.status_code, accepted["created"]) == (200, True)
    job = running.client.get(f"/api/jobs/{accepted['job_id']}").json()
    assert (job["recording_id"], job["profile_name"]) == (recording.sha256, "songs")
    assert (job["filename"], job["output_name"]) == ("take 1.wav", accepted["output_name"])
    again = ordered(running.client, recording.sha256).json()
    assert again == accepted | {"created": False}


def test_recording_is_meant_and_not_the_newest_file_of_its_name(running: RunningService):
    older = make_recording(running)
    newer = found(2, filename=older.filename, input_key="inputs/h4n/other.wav")
    put_input(running.service.store, newer)
    running.run(lambda: note_upload(world_of(running), newer))

    accepted = ordered(running.client, older.sha256).json()

    job = running.client.get(f"/api/jobs/{accepted['job_id']}").json()
    assert job["recording_id"] == older.sha256
    body = {"profile_name": "songs", "filename": older.filename}
    by_name = running.client.post("/api/process", json=body).json()
    job = running.client.get(f"/api/jobs/{by_name['job_id']}").json()
    assert job["recording_id"] == newer.sha256


def test_output_has_the_name_that_was_chosen(running: RunningService):
    recording = make_recording(running)

    answer = ordered(running.client, recording.sha256, output_name="tuesday")

    assert answer.json()["output_name"] == "tuesday"
    other = make_recording(running, 2)
    answer = ordered(running.client, other.sha256, output_name="tuesday")
    assert error_of(answer) == (409, "output_name_taken")


def test_recording_of_which_only_stems_are_here_is_refused(running: RunningService):
    only_stems = found(sha256="1" * 64, input_key=None)
    running.run(lambda: note(world_of(running), only_stems))

    assert error_of(ordered(running.client, "1" * 64)) == (404, "not_uploaded")


def test_what_there_is_not_is_refused(client: httpx.Client):
    assert error_of(ordered(client, "0" * 64)) == (404, "recording_not_found")
    assert error_of(ordered(client, "x")) == (422, "request_invalid")
    answer = ordered(client, "0" * 64, profile_name="none")
    assert error_of(answer) == (404, "profile_unknown")


def test_members_separate_what_another_brought_if_they_see_it(guarded: RunningService):
    recording, foreign = make_recording(guarded), make_recording(guarded, 2, "songs")

    with guarded.caller(guarded.make_token(Scope.WRITE, "h4n")) as writer:
        assert ordered(writer, recording.sha256, profile_name="h4n").status_code == 200
        answer = ordered(writer, foreign.sha256, profile_name="h4n")
        assert error_of(answer) == (404, "recording_not_found")
        assert error_of(ordered(writer, recording.sha256)) == (403, "forbidden")
    with guarded.caller(guarded.make_token(Scope.READ)) as reader:
        answer = ordered(reader, recording.sha256, profile_name="h4n")
        assert error_of(answer) == (403, "forbidden")
