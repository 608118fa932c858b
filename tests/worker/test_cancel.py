"""`DELETE /process/{job_id}`: row 32 of the faults, the worker's side."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from running_worker import Client, Worker, all_gone, eventually, make_order, start

from stemset.orders.messages import Report, parse_report

GONE_WITHIN_S = 5.0


def last(reports: list[Report]) -> tuple[str, str | None]:
    (end,) = [report for report in reports if report.is_last]
    return end.status.value, end.error.code if end.error else None


@pytest.mark.alone
def test_cancel_running_job_ends_its_streams_with_cancelled(
    worker: Worker, client: Client, job_id: str, gate: Path
):
    wishes = {"gate": str(gate), "burn": True}
    with client.stream(make_order(job_id, wishes=wishes)) as reports:
        while next(reports).progress != 0.5:
            pass
        computing = worker.children()
        begun = time.monotonic()
        answer = client.cancel(job_id)
        end = last(list(reports))

    assert all_gone(computing, GONE_WITHIN_S)
    assert time.monotonic() - begun < GONE_WITHIN_S

    assert (answer.status_code, answer.json()["job_id"]) == (202, job_id)
    assert end == ("error", "cancelled")
    assert worker.log("Cancelling", job_id=job_id, attempt=1)
    assert worker.log("Attempt ended: error", job_id=job_id, code="cancelled")


def test_cancel_at_once_after_accepted_ends_the_job(client: Client, job_id: str, gate: Path):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        assert client.cancel(job_id).status_code == 202
        assert last(list(reports)) == ("error", "cancelled")


def test_cancel_before_the_computing_process_is_ready_ends_the_job(
    tmp_path: Path, job_id: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FAKE_READY_GATE", str(tmp_path / "ready"))
    worker = start(tmp_path / "worker")
    try:
        with worker.client() as client, client.stream(make_order(job_id)) as reports:
            assert not next(reports).is_last
            assert client.cancel(job_id).status_code == 202
            assert last(list(reports)) == ("error", "cancelled")
    finally:
        worker.process.kill()
        worker.process.wait(10)


def test_cancel_twice_and_more_is_one_cancellation(
    worker: Worker, client: Client, job_id: str, gate: Path
):
    answers: list[int] = []
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        next(reports)
        threads = [
            threading.Thread(target=lambda: answers.append(client.cancel(job_id).status_code))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        end = last(list(reports))
        for thread in threads:
            thread.join(10)
    answers.append(client.cancel(job_id).status_code)

    assert end == ("error", "cancelled")
    assert answers[-1] == 200
    assert Counter(answers).keys() <= {200, 202}
    assert len(worker.log("Attempt ended", job_id=job_id)) == 1


@pytest.mark.parametrize("wishes", [{}, {"fail": "audio_corrupt"}])
def test_cancel_job_that_has_ended_changes_nothing(
    client: Client, job_id: str, wishes: dict[str, object]
):
    order = make_order(job_id, wishes=wishes)
    end = parse_report(client.order(order).text.splitlines()[-1])

    answer = client.cancel(job_id)

    assert answer.status_code == 200
    assert answer.json()["status"] == end.status
    assert parse_report(client.order(order).text.splitlines()[-1]) == end


def test_cancel_races_with_the_end_one_of_them_wins(worker: Worker, client: Client, job_id: str):
    for attempt in range(1, 11):
        gate = worker.log_file.with_name(f"{job_id}-{attempt}")
        with client.stream(make_order(job_id, attempt, wishes={"gate": str(gate)})) as reports:
            next(reports)
            thread = threading.Thread(target=gate.touch)
            thread.start()
            assert client.cancel(job_id).status_code in {200, 202}
            assert last(list(reports)) in {("complete", None), ("error", "cancelled")}
            thread.join(10)
        eventually(lambda: client.ready()["status"] == "ready")


@pytest.mark.parametrize("unknown", ["nobody", "a" * 300])
def test_cancel_unknown_job_is_not_found(client: Client, unknown: str):
    answer = client.cancel(unknown)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "job_unknown"


def test_cancel_then_the_next_order_is_carried_out(client: Client, job_id: str, gate: Path):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        client.cancel(job_id)
        list(reports)

    answer = client.order(make_order(job_id, attempt=2))

    assert parse_report(answer.text.splitlines()[-1]).status == "complete"


def test_cancel_other_job_leaves_the_running_one(client: Client, job_id: str, gate: Path):
    with client.stream(make_order(job_id, wishes={"gate": str(gate)})) as reports:
        next(reports)
        assert client.cancel("other").status_code == 404
        gate.touch()
        assert last(list(reports)) == ("complete", None)
