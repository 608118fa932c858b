"""Calls that come twice, at once, or against each other: faults really made."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg import sql
from running_parts import Part, assert_gone, wait_for
from service_deployment import ServiceDeployment, service
from short_takes import Takes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=1)


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, example: object
) -> Iterator[ServiceDeployment]:
    """A service with its own database and a folder for a store, at work."""
    del example
    with service(tmp_path_factory.mktemp("requests") / "service") as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def serving(deployment: ServiceDeployment) -> Part:
    return deployment.parts[0]


def cancel(deployment: ServiceDeployment, job_id: str) -> httpx.Response:
    return deployment.call("POST", f"/api/jobs/{job_id}/cancel")


def let_a_day_pass(conninfo: str) -> None:
    """Set every time in the ledger a day back; the queue's processes live on."""
    with psycopg.connect(conninfo) as connection:
        times = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'"
            " AND table_name NOT LIKE 'procrastinate%'"
        ).fetchall()
        assert ("jobs", "created_at") in times
        for table, column in times:
            name = sql.Identifier(column)
            connection.execute(
                sql.SQL("UPDATE {} SET {} = {} - interval '1 day'").format(
                    sql.Identifier(table), name, name
                )
            )


def test_request_made_many_times_at_once_makes_one_job(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    deployment.upload(takes.wav(), "same.wav")
    body = {"profile_name": "here", "filename": "same.wav", "output_name": "same"}
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: deployment.ask("POST", "/api/process", json=body), range(50))
        )

    assert Counter(each.status_code for each in answers) == {200: 50}
    assert sum(each.json()["created"] for each in answers) == 1
    (job_id,) = {each.json()["job_id"] for each in answers}
    deployment.assert_complete(job_id)
    assert deployment.process("same.wav", output_name="same") == job_id
    assert len(deployment.books.attempts(job_id)) == 1


def test_request_asked_again_a_day_later_is_the_same_job(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    job_id = deployment.separate(takes.wav(), "yesterday.wav")
    deployment.assert_complete(job_id)
    before = deployment.call("GET", f"/api/jobs/{job_id}").json()["created_at"]

    let_a_day_pass(deployment.books.conninfo)

    body = {"profile_name": "here", "filename": "yesterday.wav"}
    again = deployment.ask("POST", "/api/process", json=body).json()
    assert (again["job_id"], again["created"]) == (job_id, False)
    after = deployment.call("GET", f"/api/jobs/{job_id}").json()["created_at"]
    assert datetime.fromisoformat(before) - datetime.fromisoformat(after) == timedelta(days=1)
    assert len(deployment.books.attempts(job_id)) == 1
    deployment.assert_well()


def test_output_name_of_another_recording_is_refused(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    deployment.upload(takes.wav(), "one.wav")
    deployment.upload(takes.wav(), "two.wav")
    job_id = deployment.process("one.wav", output_name="wanted")

    body = {"profile_name": "here", "filename": "two.wav", "output_name": "wanted"}
    refused = deployment.call("POST", "/api/process", json=body)

    assert refused.status_code == httpx.codes.CONFLICT
    assert refused.json()["error"]["code"] == "output_name_taken"
    deployment.assert_complete(job_id)


def test_two_recordings_that_want_one_output_name_at_once_get_one_job_and_a_refusal(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    names = ["left.wav", "right.wav"]
    for name in names:
        deployment.upload(takes.wav(), name)
    bodies = [
        {"profile_name": "here", "filename": name, "output_name": "contested"} for name in names
    ]
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda body: deployment.ask("POST", "/api/process", json=body), bodies * 10)
        )

    assert Counter(each.status_code for each in answers) == {200: 10, 409: 10}
    (job_id,) = {each.json()["job_id"] for each in answers if each.is_success}
    deployment.assert_complete(job_id)


def test_job_that_waits_is_cancelled_and_its_retry_is_a_new_one(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    under_way = deployment.separate(takes.wav(60), "first.wav")
    waiting = deployment.separate(takes.wav(), "second.wav")

    answers = [cancel(deployment, waiting) for _ in range(2)]
    retries = [deployment.call("POST", f"/api/jobs/{waiting}/retry").json() for _ in range(2)]

    assert [(each.status_code, each.json()["state"]) for each in answers] == [
        (200, "cancelled")
    ] * 2
    assert len({each["job_id"] for each in retries} - {waiting}) == 1
    assert {each["retry_of"] for each in retries} == {waiting}
    deployment.assert_complete(under_way, retries[0]["job_id"])
    assert deployment.status(waiting)["state"] == "cancelled"
    assert deployment.books.attempts(waiting) == []


def test_job_that_is_computed_is_cancelled_and_its_process_gone_at_once(
    deployment: ServiceDeployment, serving: Part, takes: Takes
) -> None:
    job_id = deployment.separate(takes.wav(120), "cancelled.wav")
    deployment.wait_state(job_id, "processing", phase="separating")
    computing = serving.computing()
    assert computing

    answers = [cancel(deployment, job_id) for _ in range(2)]

    assert_gone(computing, 5)
    assert [each.json()["state"] for each in answers] == ["cancelled"] * 2
    assert deployment.status(job_id)["status"] == "error"
    later = deployment.separate(takes.wav(), "after-cancelled.wav")
    deployment.assert_complete(later)
    assert deployment.books.outcomes(job_id) == ["cancelled"]


@pytest.mark.parametrize("progress", [0.5, 0.8, 0.9])
def test_cancel_that_races_completion_leaves_one_end(
    deployment: ServiceDeployment, takes: Takes, progress: float
) -> None:
    job_id = deployment.separate(takes.wav(11), f"race-{progress}.wav")
    wait_for(lambda: deployment.status(job_id)["progress"] >= progress, "it is nearly done")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cancel(deployment, job_id), range(8)))
    (state,) = deployment.wait_ended(job_id)

    assert state in {"complete", "cancelled"}
    expected = {200} if state == "cancelled" else {409}
    assert {each.status_code for each in answers} == expected
    assert cancel(deployment, job_id).status_code in expected
    wait_for(lambda: deployment.books.outcomes(job_id) == [state], f"the attempt ends as {state}")
    deployment.assert_well()


def test_recording_that_is_deleted_while_it_is_separated_leaves_nothing(
    deployment: ServiceDeployment, serving: Part, takes: Takes
) -> None:
    wav = takes.wav(60)
    recording_id = deployment.upload(wav, "deleted.wav")["recording_id"]
    job_id = deployment.process("deleted.wav", output_name="deleted")
    deployment.wait_state(job_id, "processing", phase="separating")
    computing = serving.computing()

    deleted = deployment.call("DELETE", f"/api/recordings/{recording_id}")

    assert deleted.status_code == httpx.codes.NO_CONTENT
    assert_gone(computing, 5)
    assert deployment.status(job_id)["state"] == "cancelled"
    left = lambda: [  # noqa: E731 - looked at again and again
        info.key
        for folder in ("inputs", "claims", "outputs/here/deleted")
        for info in deployment.store.list_below(folder)
        if "deleted" in info.key
    ]
    wait_for(lambda: not left(), "its objects are removed")
    assert deployment.upload(wav, "deleted.wav")["recording_id"] == recording_id
    assert hashlib.sha256(wav).hexdigest() == recording_id
    anew = deployment.process("deleted.wav", output_name="deleted")
    assert anew != job_id
    deployment.assert_complete(anew)
