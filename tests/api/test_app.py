import json
import subprocess
import sys

import httpx
import pytest
import structlog
from service_client import RunningService
from structlog.testing import LogCapture


def test_answer_has_an_id_of_its_own(client: httpx.Client):
    ids = {client.get("/livez").headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3
    assert all(len(each) == 32 for each in ids)


@pytest.mark.parametrize("path", ["/livez", "/api/nothing", "/api/jobs/none"])
def test_answer_keeps_the_id_that_a_proxy_gave(client: httpx.Client, path: str):
    answer = client.get(path, headers={"x-request-id": "edge-1.a_b"})

    assert answer.headers["x-request-id"] == "edge-1.a_b"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "ü"])
def test_answer_takes_no_id_that_would_spoil_a_log(client: httpx.Client, given: str):
    answer = client.get("/livez", headers=[(b"x-request-id", given.encode("latin-1"))])

    assert len(answer.headers["x-request-id"]) == 32


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("tail", ["", "-what-a-later-version-adds"])
def test_answer_has_the_id_of_the_trace_that_a_call_belongs_to(client: httpx.Client, tail: str):
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01{tail}"}

    assert client.get("/livez", headers=headers).headers["x-request-id"] == TRACE
    both = headers | {"x-request-id": "page-1"}
    assert client.get("/livez", headers=both).headers["x-request-id"] == "page-1"


@pytest.mark.parametrize(
    "given",
    [
        TRACE,
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE[1:]}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01x",
    ],
)
def test_answer_takes_no_trace_that_is_none(client: httpx.Client, given: str):
    answer = client.get("/livez", headers={"traceparent": given})

    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"] not in given.lower()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/jobs/none"), ("GET", "/api/none"), ("POST", "/api/process")]
)
def test_error_names_the_call_so_that_it_can_be_quoted(
    client: httpx.Client, method: str, path: str
):
    answer = client.request(method, path)

    assert answer.status_code >= 400
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]


def test_failure_is_logged_and_answered_with_the_id_of_its_call(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(running.service), "profile_for", fail)
    lines = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, lines])
    try:
        answer = running.client.post(
            "/api/process",
            json={"profile_name": "h4n", "filename": "take.wav"},
            headers={"x-request-id": "page-2"},
        )
    finally:
        structlog.configure(**before)

    error = answer.json()["error"]
    assert (answer.status_code, error["request_id"]) == (500, "page-2")
    assert "page-2" in error["detail"]
    (line,) = [each for each in lines.entries if each["event"] == "Call failed"]
    assert (line["request_id"], line["detail"]) == ("page-2", "RuntimeError('broken')")


def test_log_of_a_refusal_says_which_call_it_was(guarded: RunningService):
    lines = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, lines])
    try:
        guarded.client.get("/api/jobs?token=secret", headers={"x-request-id": "r1"})
    finally:
        structlog.configure(**before)

    (line,) = [each for each in lines.entries if each["event"] == "Call refused"]
    assert (line["request_id"], line["method"], line["path"]) == ("r1", "GET", "/api/jobs")
    assert (line["code"], line["log_level"]) == ("unauthenticated", "warning")
    assert "secret" not in json.dumps(line)


def test_process_loads_no_engine():
    program = "import sys, stemset.api.app\nprint(*{n.partition('.')[0] for n in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()

    assert not {"torch", "onnx", "onnxruntime", "av", "soxr"} & set(loaded)
    assert {"fastapi", "sqlalchemy"} <= set(loaded)
