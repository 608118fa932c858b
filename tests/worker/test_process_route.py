"""`POST /process`: the stream, joining, busy, and calls that are refused."""

import json
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from running_worker import BUCKET, WITHIN_S, Client, Worker, eventually, make_order, running

from stemset.orders.messages import MAX_MESSAGE_BYTES, Report, Status, parse_report


def test_process_streams_reports_from_accepted_to_complete(client: Client, job_id: str):
    answer = client.order(make_order(job_id))
    reports = [parse_report(line) for line in answer.iter_lines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-store"
    assert (reports[0].status, reports[0].seq) == (Status.ACCEPTED, 0)
    assert [report.seq for report in reports] == sorted({report.seq for report in reports})
    assert [report.is_last for report in reports] == [False] * (len(reports) - 1) + [True]
    assert reports[-1].stems == ("vocals",)


def test_process_first_lines_come_while_the_job_runs(client: Client, job_id: str, gate: Path):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        assert next(reports).status is Status.ACCEPTED
        assert next(reports).progress == 0.5
        assert client.ready() | {"version": "", "device": ""} == {
            "status": "ready",
            "busy": True,
            "job_id": job_id,
            "device": "",
            "version": "",
        }
        gate.touch()
        assert [each.status for each in reports if each.progress != 0.5] == [Status.COMPLETE]
    assert client.ready()["job_id"] is None


def test_process_logs_hold_the_attempt(worker: Worker, client: Client, job_id: str):
    client.order(make_order(job_id, attempt=3))

    for event in ("Order accepted", "Attempt ended: complete"):
        assert worker.log(event, job_id=job_id, attempt=3, room="worker")
    assert worker.log("Attempt ended: complete", job_id=job_id)[0]["seconds"] >= 0


@pytest.mark.alone
def test_process_idle_stream_repeats_the_latest_report(client: Client, job_id: str, gate: Path):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        while next(reports).progress != 0.5:
            pass
        begun = time.monotonic()
        repeated = [next(reports) for _ in range(5)]
        lasted_s = time.monotonic() - begun

    assert {report.seq for report in repeated} == {repeated[0].seq}
    assert 5 * 0.2 - 0.05 <= lasted_s < 5 * 0.2 + 1


def test_process_same_attempt_while_it_runs_is_joined(
    worker: Worker, client: Client, job_id: str, gate: Path
):
    order = make_order(job_id, wishes={"gate": str(gate)})
    with client.stream(order) as first:
        while next(first).progress != 0.5:
            pass
        with client.stream(order) as second:
            joined = next(second)
            gate.touch()
            ends = [list(first)[-1], list(second)[-1]]

    assert (joined.status, joined.progress) == (Status.PROGRESS, 0.5)
    assert ends[0] == ends[1]
    assert ends[0].status is Status.COMPLETE
    assert len(worker.log("Order accepted", job_id=job_id)) == 1
    assert len(worker.log("Order joined", job_id=job_id)) == 1


def test_process_many_followers_at_once_all_see_the_end(client: Client, job_id: str, gate: Path):
    order = make_order(job_id, wishes={"gate": str(gate)})
    ends: list[Report] = []

    def follow() -> None:
        with client.stream(order) as reports:
            ends.extend(report for report in reports if report.is_last)

    threads = [threading.Thread(target=follow) for _ in range(20)]
    for thread in threads:
        thread.start()
    eventually(lambda: client.ready()["busy"])
    gate.touch()
    for thread in threads:
        thread.join(WITHIN_S)

    assert len(ends) == 20
    assert len(set(map(repr, ends))) == 1


@pytest.mark.parametrize("wishes", [{}, {"fail": "audio_corrupt"}, {"crash": True}])
def test_process_same_attempt_when_it_has_ended_gets_its_end_again(
    worker: Worker, client: Client, job_id: str, wishes: dict[str, object]
):
    order = make_order(job_id, wishes=wishes)
    end = client.order(order).text.splitlines()[-1]

    again = client.order(order)

    assert again.status_code == 200
    assert again.text.splitlines() == [end]
    assert len(worker.log("Order accepted", job_id=job_id)) == 1


def test_process_ends_are_remembered_for_a_while_only(worker: Worker, client: Client, job_id: str):
    for attempt in range(1, 35):
        client.order(make_order(job_id, attempt))

    client.order(make_order(job_id, 34))
    client.order(make_order(job_id, 3))
    client.order(make_order(job_id, 1))

    assert len(worker.log("Order accepted", job_id=job_id, attempt=34)) == 1
    assert len(worker.log("Order accepted", job_id=job_id, attempt=3)) == 1
    assert len(worker.log("Order accepted", job_id=job_id, attempt=1)) == 2


@pytest.mark.parametrize(("eta_s", "retry_after"), [(0.2, 1), (7.2, 8), (900, 30), (None, 10)])
def test_process_another_job_while_busy_is_refused_with_when_to_come_again(
    client: Client, job_id: str, gate: Path, eta_s: float | None, retry_after: int
):
    with client.stream(make_order(job_id, wishes={"gate": str(gate), "eta_s": eta_s})) as reports:
        while next(reports).progress != 0.5:
            pass
        others = [client.order(make_order("other")), client.order(make_order(job_id, attempt=2))]

    for answer in others:
        assert answer.status_code == 409
        assert answer.headers["retry-after"] == str(retry_after)
        assert answer.json()["error"]["code"] == "worker_busy"
        assert answer.json()["error"]["retryable"] is True


def test_process_after_the_last_line_the_next_order_is_taken_at_once(client: Client, job_id: str):
    for attempt in range(1, 21):
        with client.stream(make_order(job_id, attempt)) as reports:
            assert any(report.is_last for report in reports)


def test_process_client_that_goes_away_cancels_nothing(
    worker: Worker, client: Client, job_id: str, gate: Path
):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        next(reports)
    connections = worker_connections(worker)
    eventually(lambda: worker_connections(worker) <= max(connections - 1, 1))
    assert client.ready()["job_id"] == job_id

    gate.touch()

    assert worker.wait_for_log("Attempt ended", job_id=job_id)["status"] == "complete"


def worker_connections(worker: Worker) -> int:
    connections = psutil.Process(worker.process.pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in connections)


def test_process_client_that_does_not_read_holds_nothing_up(
    worker: Worker, client: Client, job_id: str
):
    order = make_order(job_id, wishes={"chatter": 30_000})
    body = order.line()
    lines = [f"{name}: {value}" for name, value in client.headers(body).items()]
    head = ["POST /process HTTP/1.1", "host: localhost", f"content-length: {len(body)}", *lines]
    with socket.create_connection(("127.0.0.1", int(client.url.rpartition(":")[2]))) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall("\r\n".join([*head, "", ""]).encode() + body)
        assert worker.wait_for_log("Attempt ended", job_id=job_id)["status"] == "complete"
        stuck.settimeout(WITHIN_S)
        text = read(stuck)

    told = [line for line in text.splitlines() if line.startswith(b"{")]
    assert b'"complete"' in told[-1]


def read(connection: socket.socket) -> bytes:
    """Read a chunked answer to its end."""
    text = b""
    while not text.endswith(b"0\r\n\r\n"):
        text += connection.recv(1 << 16)
    return text


def test_process_crash_of_the_computing_process_is_an_error_and_the_worker_goes_on(
    client: Client, job_id: str
):
    answer = client.order(make_order(job_id, wishes={"crash": True}))
    end = parse_report(answer.text.splitlines()[-1])

    assert end.error
    assert (end.error.code, end.error.retryable) == ("computing_crashed", True)
    assert client.order(make_order(job_id, attempt=2)).text.splitlines()[-1].find("complete") > 0


def test_process_deadline_in_the_past_is_refused(client: Client, job_id: str):
    order = make_order(job_id, deadline=datetime.now(UTC) - timedelta(seconds=1))

    answer = client.order(order)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "deadline_passed"


def test_process_order_that_may_not_be_is_refused_and_logged(
    worker: Worker, client: Client, job_id: str
):
    answer = client.order(make_order(job_id, callback_url="https://evil.example/"))

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "order_invalid"
    assert worker.log("Order refused", job_id=job_id, code="order_invalid")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "order_invalid"),
        (b"{}", "order_invalid"),
        (b"[" * 100_000, "order_invalid"),
        (b'{"version": 2}', "version_unsupported"),
        (b"\xff\xfe", "signature_invalid"),
    ],
)
def test_process_body_that_is_no_order_is_refused(client: Client, body: bytes, code: str):
    headers = client.headers(body if code != "signature_invalid" else b"")

    answer = client.post("/process", body, headers)

    assert answer.status_code == (401 if code == "signature_invalid" else 400)
    assert answer.json()["error"]["code"] == code
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 1 << 20])
@pytest.mark.parametrize("path", ["/process", "/process/job/links"])
def test_process_body_that_is_too_long_is_refused(client: Client, size: int, path: str):
    answer = client.post(path, b" " * size)

    assert answer.status_code == 413
    assert str(MAX_MESSAGE_BYTES) in answer.json()["error"]["detail"]


def test_process_body_without_end_is_not_read_to_its_end(client: Client):
    taken = 0

    def endless():
        nonlocal taken
        for _ in range(1 << 14):
            taken += 1 << 14
            yield b" " * (1 << 14)

    with suppress(httpx.TransportError):  # the worker hung up while we were still talking
        answer = client.http.post(
            client.url + "/process",
            content=endless(),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 413

    assert taken < 1 << 27
    assert client.ready()["status"] == "ready"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "a/json"])
@pytest.mark.parametrize("path", ["/process", "/process/job/links"])
def test_process_content_type_that_a_web_page_may_send_is_refused(
    client: Client, kind: str, path: str
):
    body = make_order("job").line()

    answer = client.post(path, body, client.headers(body, **{"content-type": kind}))

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "order_invalid"


def test_process_content_type_with_charset_is_taken(client: Client, job_id: str):
    body = make_order(job_id).line()
    kind = {"content-type": "application/json; charset=utf-8"}

    assert client.post("/process", body, client.headers(body, **kind)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/openapi.json", 404, "not_found"),
        ("GET", "/livez/", 404, "not_found"),
        ("POST", "/process/", 404, "not_found"),
        ("GET", "/process", 405, "method_not_allowed"),
        ("DELETE", "/process", 405, "method_not_allowed"),
        ("OPTIONS", "/process", 405, "method_not_allowed"),
    ],
)
def test_unknown_path_or_method_is_refused_in_json(
    client: Client, method: str, path: str, status: int, code: str
):
    answer = client.http.request(method, client.url + path)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert "access-control-allow-origin" not in answer.headers


@pytest.fixture(scope="module")
def open_worker(tmp_path_factory: pytest.TempPathFactory):
    """Give a worker on loopback without signatures."""
    with running(tmp_path_factory.mktemp("open"), environ=BUCKET) as worker:
        yield worker


@pytest.fixture
def stranger(open_worker: Worker):
    """Give a client of it that does not sign."""
    with open_worker.client(secrets=()) as client:
        yield client


def test_unsigned_worker_takes_unsigned_orders(stranger: Client, job_id: str):
    answer = stranger.order(make_order(job_id))

    assert json.loads(answer.text.splitlines()[-1])["status"] == "complete"


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:1", "[::1]:8000"])
def test_unsigned_worker_answers_to_loopback_names(stranger: Client, host: str):
    assert stranger.http.get(stranger.url + "/readyz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[", ""])
@pytest.mark.parametrize("path", ["/process", "/readyz"])
def test_unsigned_worker_refuses_other_names(
    open_worker: Worker, stranger: Client, job_id: str, host: str, path: str
):
    body = make_order(job_id).line()
    headers = {"host": host, "content-type": "application/json"}

    method = "POST" if path == "/process" else "GET"

    answer = stranger.http.request(method, stranger.url + path, content=body, headers=headers)

    assert answer.status_code == 421
    assert answer.json()["error"]["code"] == "worker_refused"
    assert not open_worker.log("Order accepted", job_id=job_id)
