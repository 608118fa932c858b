"""What the worker counts, and who may read it."""

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from callback_server import listening
from prometheus_client.parser import text_string_to_metric_families
from running_worker import BUCKET, SIGNED, Client, eventually, make_order, running

TOKEN = "of-whoever-watches-this"  # noqa: S105 - of these tests
WATCHED = {**BUCKET, **SIGNED, "STEMSET_METRICS_TOKEN": TOKEN}


def read(client: Client, token: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return client.http.get(f"{client.url}/metrics", headers=headers)


def samples(client: Client, token: str | None = None) -> dict[tuple[str, ...], float]:
    answer = read(client, token)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_worker_counts_orders_and_how_they_ended(tmp_path: Path, job_id: str, gate: Path):
    with running(tmp_path, environ=BUCKET) as worker, worker.client(()) as client:
        client.order(make_order(f"{job_id}-a"))
        client.order(make_order(f"{job_id}-a"))
        client.order(make_order(f"{job_id}-b", wishes={"fail": "audio_corrupt"}))
        with client.stream(make_order(f"{job_id}-c", wishes={"gate": str(gate)})) as reports:
            next(reports)
            assert client.order(make_order(f"{job_id}-d")).status_code == 409
            busy = samples(client)
            gate.touch()
        eventually(lambda: not client.ready()["busy"])
        found, device = samples(client), client.ready()["device"]

    assert busy["stemset_worker_busy",] == 1
    assert found["stemset_worker_busy",] == 0
    assert found["stemset_worker_ready",] == 1
    assert found["stemset_worker_orders_total", "accepted"] == 3
    assert found["stemset_worker_orders_total", "joined"] == 1
    assert found["stemset_worker_orders_total", "busy"] == 1
    assert found["stemset_worker_attempts_total", "", "complete"] == 2
    assert found["stemset_worker_attempts_total", "audio_corrupt", "error"] == 1
    assert found["stemset_worker_computing_seconds_total", device] > 0


def test_worker_counts_callbacks_that_are_taken_and_those_that_are_not(tmp_path: Path, job_id: str):
    quick = {"callback_waits_s": [0.05, 0.1], "callback_within_s": 0.5}
    with listening(500, 204, 302, 404, 429) as backend:
        environ = {**WATCHED, "BACKEND_URL": f"{backend.url}/app"}
        with running(tmp_path, environ=environ, http=quick) as worker, worker.client() as client:
            for number, end in (("a", "Callback: 204"), ("b", "Callback given up")):
                order = make_order(f"{job_id}-{number}", callback_url=backend.callback_url)
                client.order(order)
                worker.wait_for_log(end)
            found = samples(client, TOKEN)

    assert found["stemset_worker_callbacks_total", "taken"] == 1
    assert found["stemset_worker_callbacks_total", "given_up"] == 1
    tries = [
        found["stemset_worker_callback_tries_total", each] for each in ("2xx", "3xx", "4xx", "5xx")
    ]
    assert tries == [1, 1, 2, 1]


def test_worker_counts_calls_that_are_badly_signed(tmp_path: Path):
    with running(tmp_path, environ=WATCHED) as worker, worker.client(()) as client:
        assert client.order(make_order("j")).status_code == 401
        found = samples(client, TOKEN)

    assert found["stemset_worker_signatures_refused_total", "signature_invalid"] == 1


def test_worker_whose_computing_process_is_gone_is_not_ready(tmp_path: Path):
    with running(tmp_path, environ=BUCKET) as worker, worker.client(()) as client:
        for child in worker.children():
            child.send_signal(signal.SIGSTOP)
            child.kill()
        eventually(lambda: samples(client)["stemset_worker_ready",] == 0)
        eventually(lambda: samples(client)["stemset_worker_ready",] == 1)


@pytest.mark.parametrize(
    ("environ", "token", "status"),
    [
        (BUCKET, None, 200),
        ({**BUCKET, "STEMSET_METRICS_TOKEN": TOKEN}, None, 401),
        ({**BUCKET, "STEMSET_METRICS_TOKEN": TOKEN}, TOKEN, 200),
        ({**BUCKET, **SIGNED}, None, 401),
        ({**BUCKET, **SIGNED}, TOKEN, 401),
        (WATCHED, None, 401),
        (WATCHED, "another-token-of-16", 401),
        (WATCHED, TOKEN, 200),
    ],
    ids=str,
)
def test_metrics_are_open_only_where_all_is_open(
    tmp_path: Path, environ: dict[str, Any], token: str | None, status: int
):
    with running(tmp_path, environ=environ) as worker, worker.client() as client:
        answer = read(client, token)

    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["code"] == "unauthenticated"
        assert "stemset_worker" not in answer.text


def test_metrics_on_loopback_are_not_for_pages_of_other_names(tmp_path: Path):
    with running(tmp_path, environ=BUCKET) as worker, worker.client(()) as client:
        answer = client.http.get(f"{client.url}/metrics", headers={"host": "evil.example"})

    assert answer.status_code == 421


def test_callback_has_the_id_of_the_call_that_the_job_came_by(tmp_path: Path, job_id: str):
    with listening(204) as backend:
        environ = {**WATCHED, "BACKEND_URL": f"{backend.url}/app"}
        with running(tmp_path, environ=environ) as worker, worker.client() as client:
            order = make_order(job_id, callback_url=backend.callback_url, request_id="page-1")
            client.order(order)
            line = worker.wait_for_log("Callback: 204")

    (call,) = backend.calls
    assert call.headers["x-request-id"] == "page-1"
    assert (line["request_id"], line["job_id"]) == ("page-1", job_id)
