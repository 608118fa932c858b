"""The last report is posted to where the order said: row 23 of the faults, and what must not be."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from callback_server import HANG, Backend, listening
from running_worker import (
    BUCKET,
    OLD_SECRET,
    SECRET,
    SIGNED,
    Worker,
    eventually,
    make_order,
    running,
    start,
)

from stemset.errors import SignatureInvalid
from stemset.orders import signing
from stemset.orders.messages import Order, parse_report

QUICK = {"callback_waits_s": [0.05, 0.1], "callback_within_s": 0.5}


def environ(backend: Backend) -> dict[str, str]:
    return {**BUCKET, **SIGNED, "BACKEND_URL": f"{backend.url}/app"}


def order_of(backend: Backend, job_id: str, **changes: Any) -> Order:
    return make_order(job_id, callback_url=backend.callback_url, **changes)


def outcomes(worker: Worker, job_id: str) -> Sequence[str]:
    """What became of each try."""
    return [line["event"] for line in worker.log("Callback: ", job_id=job_id, attempt=1)]


@pytest.mark.parametrize("wishes", [{}, {"fail": "audio_corrupt"}, {"crash": True}])
def test_callback_posts_the_last_report_signed(
    tmp_path: Path, job_id: str, wishes: dict[str, object]
):
    with listening(204) as backend, running(tmp_path, environ=environ(backend)) as worker:
        with worker.client() as client:
            end = client.order(order_of(backend, job_id, wishes=wishes)).text.splitlines()[-1]
        worker.wait_for_log("Callback: 204", job_id=job_id)

    (call,) = backend.calls
    signing.verify([SECRET], call.headers, call.body)
    with pytest.raises(SignatureInvalid):
        signing.verify([OLD_SECRET], call.headers, call.body)
    assert parse_report(call.body) == parse_report(end)
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-id"] == f"callback-{job_id}-1"
    assert worker.log(f"Calling back to: {backend.callback_url}", job_id=job_id, attempt=1)


def test_callback_without_secret_is_posted_unsigned(tmp_path: Path, job_id: str):
    with listening(200) as backend:
        open_environ = {**BUCKET, "BACKEND_URL": backend.url}
        with running(tmp_path, environ=open_environ) as worker:
            with worker.client(secrets=()) as client:
                client.order(order_of(backend, job_id))
            worker.wait_for_log("Callback: 200", job_id=job_id)

    assert "webhook-signature" not in backend.calls[0].headers


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([500, 429, 200], ["500", "429", "200"]),
        ([503, 202], ["503", "202"]),
        ([HANG, 200], ["no answer within 0.5 s", "200"]),
        ([302, 200], ["302", "200"]),
        ([404, 204], ["404", "204"]),
    ],
)
def test_callback_that_is_not_taken_is_tried_again_under_the_same_id(
    tmp_path: Path, job_id: str, answers: list[int], said: list[str]
):
    with (
        listening(*answers) as backend,
        running(tmp_path, environ=environ(backend), http=QUICK) as worker,
        worker.client() as client,
    ):
        client.order(order_of(backend, job_id))
        worker.wait_for_log(f"Callback: {said[-1]}", job_id=job_id)

    assert outcomes(worker, job_id) == [f"Callback: {each}" for each in said]
    assert len({call.headers["webhook-id"] for call in backend.calls}) == 1
    assert len({call.body for call in backend.calls}) == 1
    assert {call.path for call in backend.calls} == {"/app/jobs/1/callback"}
    assert not worker.log("Callback given up")


@pytest.mark.parametrize("answer", [500, 429, 302, 307, HANG])
def test_callback_is_given_up_after_three_tries(tmp_path: Path, job_id: str, answer: int):
    with (
        listening(answer) as backend,
        running(tmp_path, environ=environ(backend), http=QUICK) as worker,
        worker.client() as client,
    ):
        client.order(order_of(backend, job_id))
        worker.wait_for_log("Callback given up", job_id=job_id, attempt=1)
        assert client.order(make_order(job_id, attempt=2)).status_code == 200

    assert [call.path for call in backend.calls] == ["/app/jobs/1/callback"] * 3


def test_callback_to_nobody_is_given_up_after_three_tries(tmp_path: Path, job_id: str):
    with listening(200) as backend:
        pass
    with (
        running(tmp_path, environ=environ(backend), http=QUICK) as worker,
        worker.client() as client,
    ):
        client.order(order_of(backend, job_id))
        worker.wait_for_log("Callback given up", job_id=job_id)

    assert len(outcomes(worker, job_id)) == 3


def test_callback_holds_up_neither_the_stream_nor_the_next_order(tmp_path: Path, job_id: str):
    with (
        listening(HANG) as backend,
        running(tmp_path, environ=environ(backend)) as worker,
        worker.client() as client,
    ):
        assert '"complete"' in client.order(order_of(backend, job_id)).text
        assert '"complete"' in client.order(order_of(backend, job_id, attempt=2)).text
        eventually(lambda: len(backend.calls) == 2)
        assert not outcomes(worker, job_id)


@pytest.mark.parametrize("place", ["/application/x", "/app/../x", "/"])
def test_callback_outside_of_the_back_end_is_refused_and_not_made(
    tmp_path: Path, job_id: str, place: str
):
    with (
        listening(200) as backend,
        running(tmp_path, environ=environ(backend)) as worker,
        worker.client() as client,
    ):
        answer = client.order(make_order(job_id, callback_url=backend.url + place))

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "order_invalid"
    assert backend.calls == []


@pytest.mark.parametrize(("place", "calls"), [("before-callback", 0), ("after-callback", 1)])
def test_callback_crash_around_it_leaves_the_stream_whole(
    tmp_path: Path, job_id: str, place: str, calls: int
):
    with listening(200) as backend:
        worker = start(tmp_path, environ=environ(backend), crash_at=place)
        with worker.client() as client:
            reports = client.order(order_of(backend, job_id)).text.splitlines() if calls else []
            if not calls:
                with pytest.raises(ConnectionError), client.stream(order_of(backend, job_id)) as r:
                    raise ConnectionError(list(r))
        status = worker.end()

    assert status == -signal.SIGKILL
    assert len(backend.calls) == calls
    assert not calls or '"complete"' in reports[-1]


def test_callback_of_an_interrupted_attempt_is_posted_before_the_process_ends(
    tmp_path: Path, job_id: str, gate: Path
):
    with listening(200) as backend:
        worker = start(tmp_path, environ=environ(backend))
        wishes = {"gate": str(gate)}
        with (
            worker.client() as client,
            client.stream(order_of(backend, job_id, wishes=wishes)) as r,
        ):
            next(r)
            worker.process.terminate()
            list(r)
        assert worker.end() == 0

    error = parse_report(backend.calls[0].body).error
    assert error
    assert error.code == "interrupted"


@pytest.mark.alone
def test_callback_that_hangs_does_not_hold_up_the_end_of_the_process(tmp_path: Path, job_id: str):
    with listening(HANG) as backend:
        worker = start(tmp_path, environ=environ(backend))
        with worker.client() as client:
            client.order(order_of(backend, job_id))
        eventually(lambda: backend.calls)
        begun = time.monotonic()
        worker.process.terminate()

        assert worker.end() == 0
        assert time.monotonic() - begun < 3
        assert worker.log("Callback given up", job_id=job_id)
