"""Recordings over HTTP: listed, searched, renamed, deleted, by those who may."""

import httpx
import pytest
from library_service import await_that, make_output, make_recording, world_of
from service_client import RunningService
from standing_stems import accepted, found, note, request

from stemset.jobs.caller import Scope


def keys(running: RunningService) -> list[str]:
    return running.run(world_of(running).keys)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_recordings_are_listed_with_what_was_made_of_them(running: RunningService):
    recording = make_recording(running)
    job, output_id = make_output(running, recording)

    answer = running.client.get("/api/recordings")

    assert answer.status_code == 200
    page = answer.json()
    assert page["next_cursor"] is None
    (view,) = page["recordings"]
    assert view["recording_id"] == recording.sha256
    assert (view["name"], view["filename"]) == ("take 1", "take 1.wav")
    assert (view["duration_s"], view["rate_hz"], view["channels"]) == (61.0, 48_000, 2)
    assert view["is_stored"] is True
    assert view["newest_job"]["job_id"] == job.id
    assert view["newest_job"]["status"] == "complete"
    assert [output["output_id"] for output in view["outputs"]] == [output_id]
    assert view["outputs"][0]["stems"] == ["bass", "vocals"]
    assert running.client.get(f"/api/recordings/{recording.sha256}").json() == view


def test_recordings_are_paged_in_the_order_that_is_asked_for(running: RunningService):
    for number in (3, 1, 2):
        make_recording(running, number)
    seen, totals, query = [], [], {"limit": "2", "sort": "name", "direction": "asc"}
    for _ in range(2):
        page = running.client.get("/api/recordings", params=query).json()
        seen += [each["name"] for each in page["recordings"]]
        totals.append(page["total"])
        query["cursor"] = page["next_cursor"]

    assert seen == ["take 1", "take 2", "take 3"]
    assert totals == [3, None]
    assert query["cursor"] is None


def test_recordings_are_searched(running: RunningService):
    for number in (1, 2, 12):
        make_recording(running, number)

    page = running.client.get("/api/recordings", params={"search": "TAKE 1", "limit": 1}).json()

    assert page["total"] == 2
    page = running.client.get("/api/recordings", params={"search": "TAKE 1"}).json()
    assert {each["name"] for each in page["recordings"]} == {"take 1", "take 12"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "request_invalid"),
        ("limit=201", "request_invalid"),
        ("sort=size", "request_invalid"),
        ("direction=up", "request_invalid"),
        ("search=%00", "request_invalid"),
        ("search=" + "x" * 201, "request_invalid"),
        ("cursor=x", "cursor_invalid"),
        ("cursor=W10", "cursor_invalid"),
    ],
)
def test_list_that_cannot_be_is_refused(client: httpx.Client, query: str, code: str):
    assert error_of(client.get(f"/api/recordings?{query}")) == (422, code)


def test_recording_is_renamed(running: RunningService):
    recording = make_recording(running)

    answer = running.client.patch(
        f"/api/recordings/{recording.sha256}", json={"name": " Bridge / 2 – עברית 🎸 "}
    )

    assert answer.status_code == 200
    assert answer.json()["name"] == "Bridge / 2 – עברית 🎸"
    assert answer.json()["filename"] == "take 1.wav"


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\nb", "a\x00b", None, 3])
def test_name_that_cannot_be_is_refused(running: RunningService, name: object):
    recording = make_recording(running)
    answer = running.client.patch(f"/api/recordings/{recording.sha256}", json={"name": name})

    assert error_of(answer) == (422, "request_invalid")


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_recording_that_is_not_there_is_not_found(client: httpx.Client, method: str):
    body = {"name": "x"} if method == "patch" else None

    answer = client.request(method, f"/api/recordings/{'0' * 64}", json=body)
    assert error_of(answer) == (404, "recording_not_found")
    answer = client.request(method, f"/api/recordings/{'G' * 64}", json=body)
    assert error_of(answer) == (422, "request_invalid")


def test_recording_deleted_is_gone_and_its_objects_soon(running: RunningService):
    recording, other = make_recording(running), make_recording(running, 2)
    make_output(running, recording)
    _, kept = make_output(running, other)
    pending = running.run(lambda: accepted(world_of(running), request(recording, "songs")))

    answer = running.client.delete(f"/api/recordings/{recording.sha256}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert running.client.get(f"/api/recordings/{recording.sha256}").status_code == 404
    assert running.client.get(f"/api/jobs/{pending.id}").json()["state"] == "cancelled"
    own = (recording.sha256[:8], "take 1")
    await_that(lambda: not any(name in key for key in keys(running) for name in own))
    assert running.client.get(f"/api/outputs/{kept}").status_code == 200
    answer = running.client.delete(f"/api/recordings/{recording.sha256}")
    assert error_of(answer) == (404, "recording_not_found")


def test_callers_see_and_change_what_their_token_allows(guarded: RunningService):
    recording, foreign = make_recording(guarded), make_recording(guarded, 2, "songs")
    shared = make_recording(guarded, 3)
    guarded.run(lambda: accepted(world_of(guarded), request(shared, "songs")))
    assert error_of(guarded.client.get("/api/recordings")) == (401, "unauthenticated")

    with guarded.caller(guarded.make_token(Scope.READ, "h4n")) as reader:
        page = reader.get("/api/recordings").json()
        assert [each["recording_id"] for each in page["recordings"]] == [
            shared.sha256,
            recording.sha256,
        ]
        assert page["total"] == 2
        assert error_of(reader.get("/api/recordings?profile=songs")) == (403, "forbidden")
        assert reader.get(f"/api/recordings/{foreign.sha256}").status_code == 404
        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            answer = reader.request(method, f"/api/recordings/{recording.sha256}", json=body)
            assert error_of(answer) == (403, "forbidden")

    with guarded.caller(guarded.make_token(Scope.WRITE, "h4n")) as writer:
        assert writer.delete(f"/api/recordings/{foreign.sha256}").status_code == 404
        answer = writer.delete(f"/api/recordings/{shared.sha256}")
        assert error_of(answer) == (403, "forbidden")
        assert writer.delete(f"/api/recordings/{recording.sha256}").status_code == 204


def test_recording_known_by_its_stems_only_is_not_stored(running: RunningService):
    only_stems = found(sha256="1" * 64, input_key=None)
    running.run(lambda: note(world_of(running), only_stems))

    assert running.client.get(f"/api/recordings/{'1' * 64}").json()["is_stored"] is False
