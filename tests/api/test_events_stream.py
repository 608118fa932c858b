"""The event stream: what one client is told, and when it comes back."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from database_server import DatabaseServer
from event_client import Message, events_of
from library_service import await_that, make_output, make_recording
from service_client import RunningService, running_service
from standing_stems import request

from stemset.api import _client_stream, _tokens
from stemset.jobs import accepting, events, ledger, tokens
from stemset.jobs.caller import Scope
from stemset.jobs.events import Kind
from stemset.jobs.job import Job, State
from stemset.jobs.migrate import migrate
from stemset.jobs.recordings import Found
from stemset.orders.messages import Failure

pytestmark = pytest.mark.alone


def accept(running: RunningService, recording: Found, profile: str = "h4n") -> Job:
    wanted = request(recording, profile)
    job, _ = running.in_transaction(lambda connection: accepting.accept(connection, wanted))
    return job


def fail(running: RunningService, job: Job) -> None:
    failure = Failure(code="separation_failed", detail="It failed.", retryable=False)
    running.in_transaction(lambda connection: ledger.fail(connection, job.id, failure))


def progress(running: RunningService, job: Job, done: float) -> None:
    running.in_transaction(
        lambda connection: ledger.progress(connection, job.id, State.PROCESSING, done=done)
    )


def append(running: RunningService, *subjects: str, kind: Kind = Kind.OUTPUT) -> None:
    """Commit events of things that were removed."""
    for subject in subjects:
        running.in_transaction(
            lambda connection, subject=subject: events.append(connection, kind, subject)
        )


def forget_all(running: RunningService) -> None:
    running.in_transaction(lambda connection: events.forget(connection, timedelta(0)))


def is_of(subject: str):
    return lambda message: message.json.get("id", message.json.get("job_id")) == subject


def subjects(messages: list[Message]) -> list[str]:
    return [message.json["id"] for message in messages]


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    server = DatabaseServer()
    server.start()
    yield server
    server.stop()


def test_stream_begins_with_the_newest_number(running: RunningService):
    make_recording(running)
    newest = running.in_transaction(events.newest)
    with events_of(running.url) as client:
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert client.headers["cache-control"] == "no-store"
        assert client.headers["x-accel-buffering"] == "no"
        first, hello = client.next(), client.event()
    assert first == Message(retry="2000")
    assert (hello.event, hello.json, hello.number) == ("hello", {}, newest)
    assert newest > 0


def test_job_is_told_as_get_job_gives_it(running: RunningService):
    recording = make_recording(running)
    with events_of(running.url) as client:
        client.event()
        job = accept(running, recording)
        told = client.until(is_of(job.id))[-1]
        assert told.event == "job"
        assert told.json == running.client.get(f"/api/jobs/{job.id}").json()
        fail(running, job)
        told = client.until(is_of(job.id))[-1]
        assert told.json["state"] == "error"
        assert told.json == running.client.get(f"/api/jobs/{job.id}").json()


def test_change_is_told_within_a_second(running: RunningService):
    with events_of(running.url) as client:
        client.event()
        begun_s = time.monotonic()
        append(running, "a")
        assert is_of("a")(client.event())
    assert time.monotonic() - begun_s < 1.0


def test_recording_and_output_are_told_with_their_ids_and_that_they_are_gone(
    running: RunningService,
):
    recording = make_recording(running)
    with events_of(running.url) as client:
        client.event()
        _, output_id = make_output(running, recording)
        told = client.until(lambda message: message.event == "output")
        assert told[-1].json == {"id": output_id}

        running.client.patch(f"/api/recordings/{recording.sha256}", json={"name": "Other"})
        told = client.until(lambda message: message.event == "recording")
        assert told[-1].json == {"id": recording.sha256}

        running.client.delete(f"/api/outputs/{output_id}").raise_for_status()
        told = client.until(lambda message: message.event == "output")
        assert told[-1].json == {"id": output_id, "deleted": True}

        running.client.delete(f"/api/recordings/{recording.sha256}").raise_for_status()
        told = client.until(lambda m: m.event == "recording" and "deleted" in m.json)
        assert told[-1].json == {"id": recording.sha256, "deleted": True}


def test_progress_has_no_number_and_is_told_twice_a_second(running: RunningService):
    job = accept(running, make_recording(running))
    progress(running, job, 0.0)
    with events_of(running.url) as client:
        client.event()
        begun_s = time.monotonic()
        for done in range(1, 61):
            progress(running, job, done / 60)
            time.sleep(0.025)  # the load
        told = client.until(lambda message: message.json.get("progress") == 1.0)
        took_s = time.monotonic() - begun_s
    assert all(message.event == "job" and message.id is None for message in told)
    assert 2 <= len(told) <= 2 * took_s + 2
    assert [m.json["progress"] for m in told] == sorted(m.json["progress"] for m in told)


@pytest.mark.parametrize("how", ["header", "query", "header before query"])
def test_client_that_comes_back_is_told_each_change_since_once(running: RunningService, how: str):
    append(running, "before", "known", "a", "b", "a", "c")
    given = {
        "header": {"last_event_id": "2"},
        "query": {"query": "?last_event_id=2"},
        "header before query": {"last_event_id": "2", "query": "?last_event_id=0"},
    }[how]
    with events_of(running.url, **given) as client:
        told = [client.event() for _ in range(3)]
        append(running, "live")
        told.append(client.event())
    assert subjects(told) == ["b", "a", "c", "live"]
    assert [message.number for message in told] == [4, 5, 6, 7]


def test_client_that_comes_back_for_more_than_a_page_is_told_all(running: RunningService):
    many = [f"output-{n:04}" for n in range(2 * _client_stream._PAGE + 1)]
    append(running, *many)
    with events_of(running.url, last_event_id="0") as client:
        told = client.until(is_of(many[-1]))
    assert subjects(told) == many


def test_client_that_reconnects_again_and_again_misses_nothing(running: RunningService):
    wanted = [f"output-{n}" for n in range(60)]
    told: list[Message] = []
    last = "0"
    for n in range(0, 60, 4):
        append(running, *wanted[n : n + 2])
        with events_of(running.url, last_event_id=last) as client:
            append(running, *wanted[n + 2 : n + 4])
            told += client.until(is_of(wanted[n + 3 - n % 3]))  # leaves at different moments
        last = str(told[-1].id)
    with events_of(running.url, last_event_id=last) as client:
        append(running, "end")
        told += client.until(is_of("end"))
    assert subjects(told) == [*wanted, "end"]


@pytest.mark.parametrize("last", ["1", "999", "nonsense", "-1", "9" * 30])
def test_client_whose_number_is_not_known_is_told_to_reload(running: RunningService, last: str):
    append(running, "a", "b", "c")
    forget_all(running)
    append(running, "d")
    newest = running.in_transaction(events.newest)
    with events_of(running.url, last_event_id=last) as client:
        reset = client.event()
        append(running, "live")
        live = client.event()
    assert (reset.event, reset.number) == ("reset", newest)
    assert live.json == {"id": "live", "deleted": True}


def test_client_that_is_cut_reads_from_the_ledger_what_it_missed(running: RunningService):
    async def cut() -> None:
        for follower in running.streams._followers:
            follower.cut()

    with events_of(running.url) as client:
        client.event()
        for n in range(20):
            append(running, f"a{n}")
            running.run(cut)
        told = client.until(is_of("a19"))
    assert subjects(told) == [f"a{n}" for n in range(20)]


def test_quiet_stream_gives_signs_of_life_and_how_far_it_is(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_client_stream, "QUIET_S", 0.1)
    with events_of(running.url) as client:
        client.event()
        sign = client.next()
        append(running, "a")
        client.until(is_of("a"))
        later = client.next()
    assert sign == Message(comments=["alive"], id="0")
    assert later == Message(comments=["alive"], id="1")


def test_caller_is_told_only_of_its_profiles(guarded: RunningService):
    ours, theirs = make_recording(guarded, 1, "songs"), make_recording(guarded, 2, "h4n")
    token = guarded.make_token(Scope.READ, "songs")
    with events_of(guarded.url, token=token) as client:
        client.event()
        _, theirs_output = make_output(guarded, theirs, "h4n")
        _, ours_output = make_output(guarded, ours, "songs")
        told = client.until(is_of(ours_output))
        append(guarded, "end")
        told += client.until(is_of("end"))
    shown = {message.json.get("id") or message.json["recording_id"] for message in told}
    assert shown == {ours.sha256, ours_output, "end"}
    assert theirs_output not in shown


def test_caller_that_comes_back_is_told_only_of_its_profiles(guarded: RunningService):
    ours, theirs = make_recording(guarded, 1, "songs"), make_recording(guarded, 2, "h4n")
    make_output(guarded, theirs, "h4n")
    _, ours_output = make_output(guarded, ours, "songs")
    append(guarded, "end")
    token = guarded.make_token(Scope.READ, "songs")
    with events_of(guarded.url, token=token, last_event_id="0") as client:
        told = client.until(is_of("end"))
    shown = {message.json.get("id") or message.json["recording_id"] for message in told}
    assert shown == {ours.sha256, ours_output, "end"}


def test_call_without_a_token_is_refused_where_tokens_are_needed(guarded: RunningService):
    with events_of(guarded.url) as client:
        assert client.status == 401


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_stream_ends_when_its_token_does(
    guarded: RunningService, monkeypatch: pytest.MonkeyPatch, how: str
):
    monkeypatch.setattr(_client_stream, "CHECK_EVERY_S", 0.1)
    monkeypatch.setattr(_tokens, "REMEMBERED_S", 0.0)
    expires = datetime.now(UTC) + timedelta(seconds=1) if how == "expired" else None
    created, text = guarded.in_transaction(
        lambda connection: tokens.create(connection, "page", Scope.READ, None, expires)
    )
    with events_of(guarded.url, token=text) as client:
        assert client.event().event == "hello"
        if how == "revoked":
            guarded.in_transaction(lambda connection: tokens.revoke(connection, created.id))
        assert all(message.data is None for message in client.rest())
    await_that(lambda: len(guarded.streams) == 0)


def test_streams_end_at_once_when_the_server_stops_and_none_begins(running: RunningService):
    with events_of(running.url) as client, events_of(running.url) as other:
        client.event()
        begun_s = time.monotonic()
        running._loop.call_soon_threadsafe(running.streams.close)
        client.rest()
        other.rest()
        assert time.monotonic() - begun_s < 1.0
    answer = running.client.get("/api/events")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "service_busy"
    assert "retry-after" in answer.headers


@pytest.mark.slow
def test_stream_stays_open_while_the_database_is_down_and_catches_up(
    tmp_path: Path, server: DatabaseServer
):
    conninfo = server.new_database()
    migrate(conninfo)
    with running_service(tmp_path, conninfo) as running, events_of(running.url) as client:
        append(running, "before")
        client.until(is_of("before"))
        server.kill()
        with events_of(running.url) as new_client:
            assert new_client.next() == Message(retry="2000")
            server.start()
            running.client.get("/api/jobs")  # finds that kept connections are dead
            append(running, "after")
            assert subjects(client.until(is_of("after"))) == ["after"]
            assert new_client.event().event == "hello"
            append(running, "later")
            new_client.until(is_of("later"))
