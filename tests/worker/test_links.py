"""`POST /process/{job_id}/links`: presigned URLs that an attempt wants while it runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from running_worker import Client, Worker, make_order

from stemset.orders.messages import Links, Order, Report

URL = "https://bucket.example/"


def linked(job_id: str, *, ask: list[list[str]], **wishes: object) -> Order:
    order = make_order(job_id, wishes={"ask": ask, **wishes})
    return order.model_copy(
        update={"input": order.input.model_copy(update={"url": f"{URL}song.wav"})}
    )


def send(client: Client, job_id: str, urls: Sequence[str], seq: int | None = None, attempt=1):
    links = Links(job_id=job_id, attempt=attempt, urls=tuple(urls), seq=seq)
    return client.post(f"/process/{job_id}/links", links.line())


def wanted(report: Report) -> list[str]:
    return [each.name for each in report.wanted]


def test_links_reach_the_attempt_that_wants_them(client: Client, job_id: str):
    with client.stream(linked(job_id, ask=[["a", "b"], ["c"]])) as reports:
        asked: list[list[str]] = []
        last = next(reports)
        for report in reports:
            if report.wanted and report.seq != last.seq:
                asked.append(wanted(report))
                urls = [URL + name for name in asked[-1]]
                assert send(client, job_id, urls, report.seq).status_code == 200
            last = report

    assert asked == [["a", "b"], ["c"]]
    assert last.stems == ("vocals", f"{URL}a", f"{URL}b", f"{URL}c")


def test_links_that_come_twice_are_not_taken_for_the_next_ones(
    worker: Worker, client: Client, job_id: str
):
    with client.stream(linked(job_id, ask=[["a"], ["b"]])) as reports:
        first = next(report for report in reports if report.wanted)
        assert send(client, job_id, [f"{URL}a"], first.seq).status_code == 200
        second = next(report for report in reports if wanted(report) == ["b"])
        assert send(client, job_id, [f"{URL}a"], first.seq).status_code == 200
        assert send(client, job_id, [f"{URL}b"], second.seq).status_code == 200
        end = list(reports)[-1]

    assert end.stems == ("vocals", f"{URL}a", f"{URL}b")
    assert worker.log("Links dropped", job_id=job_id)


def test_links_are_asked_for_again_of_who_joins(client: Client, job_id: str):
    order = linked(job_id, ask=[["a"]])
    with client.stream(order) as reports:
        asked = next(report for report in reports if report.wanted)
    with client.stream(order) as reports:
        again = next(reports)
        send(client, job_id, [f"{URL}a"], again.seq)
        end = list(reports)[-1]

    assert again == asked
    assert end.stems == ("vocals", f"{URL}a")


@pytest.mark.parametrize("attempt", [1, 2])
def test_links_for_an_attempt_that_does_not_run_are_not_found(
    client: Client, job_id: str, attempt: int
):
    client.order(make_order(job_id))

    answer = send(client, job_id, [f"{URL}a"], attempt=attempt)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "job_unknown"


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "file:///etc/passwd", "http://a.b/"])
def test_links_to_where_no_bucket_is_are_refused(client: Client, job_id: str, gate: Path, url: str):
    with client.stream(linked(job_id, ask=[["a"]], gate=str(gate))) as reports:
        asked = next(report for report in reports if report.wanted)

        answer = send(client, job_id, [url], asked.seq)

        assert answer.status_code == 400
        assert send(client, job_id, [f"{URL}a"], asked.seq).status_code == 200


def test_links_of_another_job_than_the_path_says_are_refused(client: Client, job_id: str):
    body = Links(job_id="other", attempt=1, urls=()).line()

    assert client.post(f"/process/{job_id}/links", body).status_code == 400


def test_order_with_a_link_to_elsewhere_is_refused(worker: Worker, client: Client, job_id: str):
    order = linked(job_id, ask=[])
    elsewhere = order.input.model_copy(update={"url": "http://169.254.169.254/latest/meta-data"})

    answer = client.order(order.model_copy(update={"input": elsewhere}))

    assert answer.status_code == 400
    assert not worker.log("Order accepted", job_id=job_id)
