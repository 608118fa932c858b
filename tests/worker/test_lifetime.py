"""From start to end: ready, stopped, killed; no process is left. Rows 1, 2 and 4 of the faults."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from callback_server import HANG, listening
from running_worker import (
    BUCKET,
    SIGNED,
    WITHIN_S,
    Client,
    Worker,
    all_gone,
    clean_environment,
    eventually,
    make_order,
    start,
)

from stemset.orders.messages import Report

pytestmark = pytest.mark.alone

ENDS_WITHIN_S = 3.0
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - nothing of value listens


@pytest.fixture
def own_worker(tmp_path: Path) -> Iterator[Worker]:
    """Give a worker that the test may end."""
    worker = start(tmp_path / "worker")
    yield worker
    worker.process.kill()
    worker.end()


def end_of(reports: Iterator[Report]) -> tuple[str, str | None]:
    last = list(reports)[-1]
    return last.status.value, last.error.code if last.error else None


def test_start_is_ready_only_when_the_computing_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = tmp_path / "ready"
    monkeypatch.setenv("FAKE_READY_GATE", str(gate))
    worker = start(tmp_path / "worker")
    try:
        with worker.client() as client:
            before = client.get("/readyz")
            alive = client.get("/livez")
            gate.touch()
            eventually(lambda: client.get("/readyz").status_code == 200)
            facts = client.ready()
    finally:
        worker.process.kill()
        worker.end()

    assert (before.status_code, before.headers["retry-after"]) == (503, "1")
    assert before.json()["status"] == "not_ready"
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (facts["status"], facts["busy"], facts["device"]) == ("ready", False, "fake")
    line = worker.wait_for_log("Worker ready")
    assert line["device"] == "fake"
    assert 0 < line["seconds"] < WITHIN_S


def test_start_order_before_ready_is_carried_out_when_it_is(
    tmp_path: Path, job_id: str, monkeypatch: pytest.MonkeyPatch
):
    gate = tmp_path / "ready"
    monkeypatch.setenv("FAKE_READY_GATE", str(gate))
    worker = start(tmp_path / "worker")
    try:
        with worker.client() as client, client.stream(make_order(job_id)) as reports:
            first = next(reports)
            gate.touch()
            assert end_of(reports) == ("complete", None)
    finally:
        worker.process.kill()
        worker.end()

    assert first.status == "accepted"


def test_start_log_says_where_and_how(own_worker: Worker):
    line = own_worker.wait_for_log("Worker listening")

    assert line["event"] == f"Worker listening on {line['url']}"
    assert (line["signed"], line["bucket"], line["level"]) == (True, "band", "info")


def test_log_is_json_alone_and_holds_no_secret(own_worker: Worker, job_id: str):
    with own_worker.client() as client:
        client.order(make_order(job_id))
        client.get("/nowhere")
        with socket.create_connection(("127.0.0.1", int(client.url.rpartition(":")[2]))) as rude:
            rude.sendall(b"what?\r\n\r\n")
            rude.recv(1 << 10)
    own_worker.process.terminate()
    own_worker.end()

    text = own_worker.log_file.read_text()
    assert own_worker.log("Invalid HTTP request", library="uvicorn.error", level="warning")
    assert len(own_worker.log()) == len(text.splitlines()) > 5
    assert BUCKET["R2_SECRET_ACCESS_KEY"] + '"' not in text
    assert not any(secret in text for secret in SIGNED["STEMSET_WORKER_SECRET"].split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_idle_exits_with_0_and_leaves_no_process(own_worker: Worker, number: signal.Signals):
    own_worker.wait_for_log("Worker ready")
    computing = own_worker.children()
    begun = time.monotonic()

    own_worker.process.send_signal(number)

    assert own_worker.end() == 0
    assert time.monotonic() - begun < ENDS_WITHIN_S
    assert all_gone(computing, 1)
    assert own_worker.log("Worker stopping", signal=number.name)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_before_ready_exits_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    monkeypatch.setenv("FAKE_READY_GATE", str(tmp_path / "never"))
    worker = start(tmp_path / "worker")
    worker.wait_for_log("Worker listening")

    worker.process.send_signal(number)

    assert worker.end() == 0


def test_stop_while_working_ends_every_stream_with_interrupted(
    own_worker: Worker, job_id: str, gate: Path
):
    order = make_order(job_id, wishes={"gate": str(gate), "burn": True})
    with (
        own_worker.client() as client,
        client.stream(order) as first,
        client.stream(order) as second,
    ):
        while next(first).progress != 0.5:
            pass
        next(second)
        computing = own_worker.children()
        begun = time.monotonic()
        own_worker.process.terminate()
        ends = [end_of(first), end_of(second)]
        status = own_worker.end()

    assert ends == [("error", "interrupted")] * 2
    assert status == 0
    assert time.monotonic() - begun < ENDS_WITHIN_S
    assert all_gone(computing, 1)
    assert own_worker.log("Attempt ended: error", job_id=job_id, code="interrupted")


@pytest.fixture
def held_up(tmp_path: Path, job_id: str) -> Iterator[tuple[Worker, Client]]:
    """Give a worker whose end takes a moment, because it calls a back end that does not answer."""
    with listening(HANG) as backend:
        worker = start(
            tmp_path / "held-up", environ={**BUCKET, **SIGNED, "BACKEND_URL": backend.url}
        )
        with worker.client() as client:
            client.order(make_order(job_id, callback_url=backend.callback_url))
            eventually(lambda: backend.calls)
            yield worker, client
        worker.process.kill()
        worker.end()


def test_stop_refuses_new_work_and_lives_on_until_it_ends(
    held_up: tuple[Worker, Client], job_id: str
):
    worker, client = held_up
    worker.process.terminate()
    worker.wait_for_log("Worker stopping")

    order, ready = client.order(make_order(job_id, attempt=2)), client.get("/readyz")
    known, alive = client.order(make_order(job_id)), client.get("/livez")

    assert (order.status_code, order.json()["error"]["code"]) == (503, "interrupted")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert int(order.headers["retry-after"]) == int(ready.headers["retry-after"]) == 1
    assert '"complete"' in known.text
    assert alive.status_code == 200
    assert worker.end() == 0


def test_stop_twice_exits_at_once_and_leaves_no_process(held_up: tuple[Worker, Client]):
    worker, _ = held_up
    computing = worker.children()
    worker.process.send_signal(signal.SIGINT)
    worker.wait_for_log("Worker stopping")
    worker.process.send_signal(signal.SIGTERM)

    assert worker.end() == 1  # in the end of its own it is 0
    assert all_gone(computing, ENDS_WITHIN_S)


def test_stop_with_a_client_that_does_not_read_exits_in_time(own_worker: Worker, job_id: str):
    body = make_order(job_id, wishes={"chatter": 100_000}).line()
    with own_worker.client() as client:
        lines = [f"{name}: {value}" for name, value in client.headers(body).items()]
        port = int(client.url.rpartition(":")[2])
    head = ["POST /process HTTP/1.1", "host: localhost", f"content-length: {len(body)}", *lines]
    with socket.create_connection(("127.0.0.1", port)) as stuck:
        stuck.sendall("\r\n".join([*head, "", ""]).encode() + body)
        own_worker.wait_for_log("Order accepted", job_id=job_id)
        begun = time.monotonic()
        own_worker.process.terminate()

        assert own_worker.end() == 0
        assert time.monotonic() - begun < ENDS_WITHIN_S + 1


@pytest.mark.parametrize("burn", [False, True])
def test_kill_leaves_no_process(own_worker: Worker, job_id: str, gate: Path, *, burn: bool):
    with (
        own_worker.client() as client,
        client.stream(make_order(job_id, wishes={"gate": str(gate), "burn": burn})) as reports,
    ):
        while next(reports).progress != 0.5:
            pass
        computing = own_worker.children()
        own_worker.process.kill()

    assert own_worker.end() == -signal.SIGKILL
    assert all_gone(computing, ENDS_WITHIN_S)


def test_health_is_answered_in_milliseconds_while_the_computing_process_uses_every_core(
    own_worker: Worker, job_id: str, gate: Path
):
    with (
        own_worker.client() as client,
        client.stream(make_order(job_id, wishes={"gate": str(gate), "burn": True})) as reports,
    ):
        while next(reports).progress != 0.5:
            pass
        took_s = []
        for path in ["/livez", "/readyz"] * 50:
            begun = time.perf_counter()
            assert client.get(path).status_code == 200
            took_s.append(time.perf_counter() - begun)
        gate.touch()
        list(reports)

    took_s.sort()
    assert took_s[len(took_s) // 2] < 0.02
    assert took_s[-1] < 0.5


def refused(folder: Path, **wishes: Any) -> str:
    """Start a worker that must refuse to; returns what it said."""
    worker = start(folder, **wishes)
    assert worker.end() == 2
    return worker.log_file.read_text()


def test_start_for_other_machines_without_secret_is_refused_with_how_to_make_one(tmp_path: Path):
    said = refused(tmp_path, host=ALL_ADDRESSES, environ=BUCKET)

    assert "[secret_missing]" in said
    assert "openssl rand -base64 32" in said


def test_start_without_keys_and_secret_is_refused(tmp_path: Path):
    said = refused(tmp_path, environ={})

    assert "[storage_not_configured]" in said
    assert "R2_*" in said
    assert "openssl rand -base64 32" in said


def test_start_for_other_machines_with_secret_alone_takes_links(tmp_path: Path):
    worker = start(tmp_path, host=ALL_ADDRESSES, environ=SIGNED)
    try:
        line = worker.wait_for_log("Worker listening")
    finally:
        worker.process.kill()
        worker.end()

    assert (line["signed"], line["bucket"]) == (True, None)


def test_start_with_a_back_end_that_is_no_url_is_refused(tmp_path: Path):
    said = refused(tmp_path, environ={**BUCKET, "BACKEND_URL": "band.example"})

    assert "[config_invalid]" in said
    assert "BACKEND_URL" in said


def test_start_on_a_taken_port_is_refused_with_the_port(tmp_path: Path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        said = refused(tmp_path, port=port)

    assert "[address_in_use]" in said
    assert str(port) in said


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_start_on_no_address_of_this_machine_is_refused(tmp_path: Path, host: str):
    assert "[config_invalid]" in refused(tmp_path, host=host)


def test_http_process_loads_no_engine_and_no_database():
    program = (
        "import sys, stemset.cli.worker, stemset.worker.serve, stemset.worker._http_side\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    engines = {"numpy", "av", "onnx", "onnxruntime", "torch", "soxr", "obstore"}
    databases = {"sqlalchemy", "psycopg", "procrastinate", "alembic", "sqlite3"}
    assert not (engines | databases) & set(loaded)
    assert "uvicorn" in loaded


def command_line(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stemset", "worker", *arguments],
        env=clean_environment() | environ,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


@pytest.mark.parametrize("port", ["x", "-1", "70000", "8000.0"])
def test_command_port_of_the_environment_that_is_none_is_refused(port: str):
    ended = command_line(**BUCKET, PORT=port)

    assert ended.returncode == 2
    assert f"PORT must be a port number, got {port!r}. [config_invalid]" in ended.stderr


def test_command_listens_where_port_says_unless_it_is_told_otherwise():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])

        of_environment = command_line(**BUCKET, PORT=port)
        of_argument = command_line("--port", port, **BUCKET, PORT="0")

    for ended in (of_environment, of_argument):
        assert ended.returncode == 2
        assert f"Port {port} of 127.0.0.1 is in use" in ended.stderr
