"""`POST /check`: what a worker says of itself, and what nobody makes it do by asking."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from callback_server import HANG, Backend, listening
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_worker import BUCKET, SIGNED, Client, Worker, eventually, make_order, running

from stemset.orders import signing
from stemset.orders.checks import Check, Checked, parse_checked
from stemset.worker.admission import Admission

ALIVE = b'{"status":"alive"}'


def asked(**facts: Any) -> bytes:
    return Check(kind="check", **facts).line()


def ask(client: Client, **facts: Any) -> Checked:
    answer = client.post("/check", asked(**facts))
    assert answer.status_code == 200, answer.text
    return parse_checked(answer.content)


def environ(backend_url: str) -> dict[str, str]:
    return {**BUCKET, **SIGNED, "BACKEND_URL": backend_url}


@contextmanager
def service(body: bytes = ALIVE, status: int = 200, **headers: str) -> Iterator[tuple[str, list]]:
    """A service that says something on every path: its address, and the calls that it got."""
    calls: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(status)
            for name, text in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", calls
        finally:
            server.shutdown()
            thread.join(10)


@contextmanager
def calling(folder: Path, backend_url: str, **http: Any) -> Iterator[tuple[Worker, Client]]:
    """A worker that may call back below an address."""
    with (
        running(folder, environ=environ(backend_url), http=http) as worker,
        worker.client() as client,
    ):
        yield worker, client


def test_check_tells_what_the_computing_process_found_and_calls_nobody(
    worker: Worker, client: Client
):
    answer = client.post("/check", asked(models=("spleeter-2stems",)))
    told = parse_checked(answer.content)

    assert answer.headers["cache-control"] == "no-store"
    assert told.inspected
    assert told.inspected.device == "fake"
    assert told.inspection_error is None
    assert (told.called, told.callback_error) == (None, None)
    assert worker.log("Worker checked")


def test_check_without_a_signature_is_refused_and_counted(worker: Worker, client: Client):
    before = len(worker.log("Signature refused", path="/check"))
    body = asked()

    refused = [
        client.post("/check", body, {"content-type": "application/json"}),
        client.post("/check", body, client.headers(asked(models=("x",)))),
        client.post("/check", body, client.headers(signing.subject("POST", "/check"))),
    ]

    assert {answer.status_code for answer in refused} == {401}
    assert len(worker.log("Signature refused", path="/check")) == before + 3


def test_check_that_a_page_of_a_browser_could_send_is_refused(client: Client):
    body = asked()
    headers = {**client.headers(body), "content-type": "text/plain"}

    assert client.post("/check", body, headers).status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"kind":"check","version":1,"models":[7]}',
        b'{"kind":"check","models":{"a":1}}',
        b'{"kind":"check","backend_url":7}',
        b'{"kind":"check","backend_url":"' + b"x" * 3000 + b'"}',
        b"[" * 100_000,
        make_order("job").line(),
    ],
)
def test_check_that_is_none_is_refused_though_it_is_signed(client: Client, body: bytes):
    answer = client.post("/check", body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "order_invalid"


@given(body=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_check_of_any_bytes_is_answered_in_form(client: Client, body: bytes):
    try:
        headers = client.headers(body)
    except UnicodeDecodeError:  # only text can be signed
        headers = {"content-type": "application/json"}

    answer = client.post("/check", body, headers)

    assert answer.status_code in {400, 401}
    assert set(answer.json()["error"]) == {"code", "detail", "retryable"}


def test_check_while_a_job_runs_says_so_and_leaves_it_alone(
    client: Client, job_id: str, gate: Path
):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        next(reports)
        told = ask(client)
        gate.touch()
        last = list(reports)[-1]

    assert told.inspected is None
    assert told.inspection_error
    assert told.inspection_error.code == "worker_busy"
    assert last.stems == ("vocals",)


def test_check_that_ends_the_computing_process_says_so_and_the_worker_goes_on(
    client: Client, job_id: str
):
    told = ask(client, models=("crash",))

    assert told.inspection_error
    assert told.inspection_error.code == "computing_crashed"
    assert '"complete"' in client.order(make_order(job_id)).text


def test_check_that_the_computing_process_does_not_answer_is_given_up(tmp_path: Path):
    with (
        running(tmp_path, http={"inspect_within_s": 0.2}) as worker,
        worker.client() as client,
    ):
        told = ask(client, models=(f"gate:{tmp_path / 'gate'}",))
        (tmp_path / "gate").touch()

    assert told.inspection_error
    assert told.inspection_error.code == "computing_stalled"


def test_check_calls_the_service_as_callbacks_do_and_tells_that_it_lives(tmp_path: Path):
    with service() as (url, calls), calling(tmp_path, f"{url}/app") as (_, client):
        told = [ask(client, backend_url=base) for base in (f"{url}/app", f"{url}/app/")]

    assert [each.called and each.called.end for each in told] == ["alive", "alive"]
    assert [(method, path) for method, path, _ in calls] == [("GET", "/app/livez")] * 2
    headers = calls[0][2]
    assert headers["user-agent"].startswith("stemset/")
    assert not {"authorization", "cookie", "webhook-signature"} & headers.keys()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a secret", 200),
        (b'"alive"', 200),
        (b'{"status":"dead"}', 200),
        (b'{"status":"alive","x":"' + b"x" * 5000 + b'"}', 200),
        (ALIVE, 404),
        (ALIVE, 503),
    ],
)
def test_check_of_something_else_at_the_address_tells_its_status_alone(
    tmp_path: Path, body: bytes, status: int
):
    with service(body, status) as (url, _), calling(tmp_path, url) as (worker, client):
        answer = client.post("/check", asked(backend_url=url))

    called = parse_checked(answer.content).called
    assert called
    assert (called.end, called.status) == ("something_else", status)
    assert b"secret" not in answer.content
    assert "secret" not in worker.log_file.read_text()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_check_follows_no_redirect(tmp_path: Path, status: int):
    with (
        listening(200) as inside,
        service(b"", status, location=f"{inside.url}/livez") as (url, calls),
        calling(tmp_path, url) as (_, client),
    ):
        told = ask(client, backend_url=url)

    assert told.called
    assert (told.called.end, told.called.status) == ("something_else", status)
    assert len(calls) == 1
    assert inside.calls == []


def test_check_tells_why_the_service_is_not_reached(tmp_path: Path, free_urls: dict[str, str]):
    seen = {}
    for wanted, url in free_urls.items():
        with calling(tmp_path / wanted, url, callback_within_s=0.5) as (_, client):
            called = ask(client, backend_url=url).called
            seen[wanted] = called and called.end

    assert seen == {end: end for end in free_urls}


@pytest.fixture
def free_urls() -> Iterator[dict[str, str]]:
    """Addresses at which there is no service, by what comes of calling them."""
    with listening(200) as gone:
        pass
    with listening(HANG) as silent, listening(200) as plain, cutting() as broken:
        yield {
            "refused": gone.url,
            "timed_out": silent.url,
            "no_tls": plain.url.replace("http:", "https:"),
            "no_such_host": "http://service.invalid",
            "broken": broken,
        }


@contextmanager
def cutting() -> Iterator[str]:
    """A server that takes a call and cuts the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            connection.recv(1024)
            connection.close()

        thread = threading.Thread(target=cut)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def elsewhere(backend: Backend) -> list[str]:
    """Addresses at which an order may not be called back either."""
    host = backend.url.removeprefix("http://")
    return [
        backend.url,
        f"{backend.url}/application",
        f"{backend.url}/app/../x",
        f"{backend.url}/app/%2e%2e/x",
        f"{backend.url}/app?x=",
        f"{backend.url}/app?",
        f"{backend.url}/app#x",
        f"{backend.url}/app\r\nHost: inside",
        f"https://{host}/app",
        f"http://user@{host}/app",
        f"http://{host}@169.254.169.254/app",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/app",
        "http://[::1]/app",
        f"file://{host}/app",
        "//app",
        "",
        "http://",
    ]


def test_check_reaches_nothing_that_an_order_could_not_reach(tmp_path: Path):
    with (
        listening(200) as backend,
        calling(tmp_path, f"{backend.url}/app") as (_, client),
    ):
        told = {url: ask(client, backend_url=url) for url in elsewhere(backend)}

    assert backend.calls == []
    codes = {url: each.callback_error and each.callback_error.code for url, each in told.items()}
    assert codes == dict.fromkeys(told, "order_invalid")
    assert not any(each.called for each in told.values())


@given(base=st.text(max_size=80) | st.text(max_size=40).map("https://band.example/app{}".format))
def test_health_address_is_always_below_the_configured_one(base: str):
    admission = Admission(backend_url="https://band.example/app")
    try:
        url = httpx.URL(admission.health_url(base))
    except Exception as error:  # noqa: BLE001 - any other kind fails the test
        assert getattr(error, "code", None) == "order_invalid"  # noqa: PT017
        return

    assert (url.scheme, url.host, url.query) == ("https", "band.example", b"")
    assert url.path.startswith("/app/")
    assert url.path.endswith("/livez")


def test_check_by_a_worker_that_calls_nobody_back_says_what_an_order_would_meet(client: Client):
    told = ask(client, backend_url="https://band.example")

    assert told.callback_error
    assert told.callback_error.code == "order_invalid"
    assert "BACKEND_URL is not set" in told.callback_error.detail


def test_check_is_answered_one_at_a_time(tmp_path: Path):
    """Who records a signed call and repeats it cannot have the service called at will."""
    with (
        listening(HANG) as backend,
        calling(tmp_path, backend.url, callback_within_s=1.0) as (worker, client),
    ):
        body = asked(backend_url=backend.url)
        headers = client.headers(body)
        statuses: list[int] = []

        def repeat() -> None:
            with worker.client() as other:
                statuses.append(other.post("/check", body, headers).status_code)

        begun = time.monotonic()
        threads = [threading.Thread(target=repeat) for _ in range(12)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(statuses) == 12)
        for thread in threads:
            thread.join(10)
        calls = len(backend.calls)
        busy_again = client.post("/check", asked()).status_code

    assert time.monotonic() - begun < 15
    assert statuses.count(200) == calls < 12
    assert set(statuses) == {200, 409}
    assert busy_again == 200


def test_check_of_a_recorded_call_is_refused_later(client: Client):
    body = asked()
    headers = signing.sign(client.secrets, "message-1", body, time.time() - 600)

    answer = client.post("/check", body, {"content-type": "application/json", **headers})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "clock_skewed"


def test_check_without_secrets_is_for_loopback_names_only(tmp_path: Path):
    with running(tmp_path, environ=BUCKET) as worker, worker.client(secrets=()) as client:
        body = asked()
        taken = client.post("/check", body)
        refused = client.post(
            "/check", body, {"content-type": "application/json", "host": "worker.example"}
        )

    assert taken.status_code == 200
    assert refused.status_code == 421
