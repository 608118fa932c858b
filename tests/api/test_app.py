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
