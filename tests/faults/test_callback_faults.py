"""Callbacks that lie, come twice, too late or never: faults really made."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from deployment import SECRET
from numpy.typing import NDArray
from running_parts import Part, wait_for
from s3_server import S3Server
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes

from stemset.orders.messages import Failure, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.signing import sign

pytestmark = [pytest.mark.slow, pytest.mark.s3]


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=3)


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, example: object, s3_server: S3Server
) -> Iterator[ServiceDeployment]:
    """A bucket and a worker that calls back; no service yet."""
    del example
    s3_server.mend()
    folder = tmp_path_factory.mktemp("callbacks") / "service"
    with service(folder, bucket=s3_server.new_bucket(), calls_back=True) as made:
        made.worker()
        yield made


@pytest.fixture(scope="module")
def at_work(deployment: ServiceDeployment) -> Iterator[Part]:
    serving = deployment.serve("--no-compute")
    yield serving
    serving.kill()


def call_back(
    deployment: ServiceDeployment, job_id: str, *, secret: str = SECRET, **facts: Any
) -> httpx.Response:
    """Call back as the worker would, with whatever is to be said."""
    said = {"attempt": 1, "seq": 99, "status": Status.COMPLETE, "phase": Phase.UPLOADING}
    body = Report(job_id=job_id, **(said | facts)).line()
    headers = sign([secret], f"{job_id}-test", body, time.time())
    path = f"/api/jobs/{job_id}/callback"
    return deployment.call("POST", path, content=body, headers=headers)


def test_callback_signed_with_another_secret_is_refused(
    deployment: ServiceDeployment, at_work: Part
) -> None:
    del at_work
    answer = call_back(deployment, "unknown", secret="whsec_" + "A" * 43 + "=")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "signature_invalid"


def test_callback_that_comes_again_and_again_completes_a_job_once(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    job_id = deployment.separate(takes.wav(60), "again.wav", FAR)
    deployment.wait_state(job_id, "processing", phase="separating")

    with ThreadPoolExecutor(20) as pool:
        answers = []
        while deployment.status(job_id)["state"] == "processing":
            answers += pool.map(lambda _: call_back(deployment, job_id), range(20))
        answers += pool.map(lambda _: call_back(deployment, job_id), range(100))

    assert Counter(each.status_code for each in answers) == {204: len(answers)}
    assert len(answers) > 100
    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]
    assert len(at_work.lines(f"Job {job_id} completed")) == 1


def test_callback_without_stems_in_the_bucket_completes_nothing(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    job_id = deployment.separate(takes.wav(60), "lie.wav", FAR)
    deployment.wait_state(job_id, "processing", phase="separating")

    answers = [call_back(deployment, job_id, attempt=number) for number in (1, 2)]

    assert [each.status_code for each in answers] == [204, 204]
    assert deployment.status(job_id)["state"] == "processing"
    assert at_work.lines("A callback says that stems are complete which are not there")
    deployment.assert_complete(job_id)


def test_callbacks_out_of_order_change_nothing(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    del at_work
    failed = {"status": Status.ERROR, "error": Failure(code="no_space", detail="x", retryable=True)}
    reports: list[dict[str, Any]] = [
        {"attempt": 1, **failed},
        {"attempt": 7},
        {"attempt": 999_999},
        {"attempt": 1, "seq": 0, "status": Status.PROGRESS, "progress": 0.1},
        {"attempt": 1},
    ]
    job_id = deployment.separate(takes.wav(60), "order.wav", FAR)
    deployment.wait_state(job_id, "processing", phase="separating")

    early = [call_back(deployment, job_id, **report) for report in reports]
    deployment.assert_complete(job_id)
    before = deployment.books.state(job_id), deployment.books.attempts(job_id)
    late = [call_back(deployment, job_id, **report) for report in reports]

    assert {each.status_code for each in early + late} == {204}
    assert (deployment.books.state(job_id), deployment.books.attempts(job_id)) == before
    assert call_back(deployment, "0" * 32).status_code == httpx.codes.NOT_FOUND


def test_callback_of_an_older_attempt_changes_nothing_while_a_newer_one_runs(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    del at_work
    worker = deployment.parts[0]
    failed = {"status": Status.ERROR, "error": Failure(code="no_space", detail="x", retryable=True)}
    job_id = deployment.separate(takes.wav(60), "older.wav", FAR)
    wait_for(lambda: worker.begun(job_id) == 1, "an attempt computes", worker.log)
    for process in worker.computing():
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: worker.begun(job_id) == 2, "the next one computes", worker.log)

    answers = [call_back(deployment, job_id, attempt=1, **more) for more in ({}, failed)]

    assert [each.status_code for each in answers] == [204, 204]
    assert deployment.status(job_id)["state"] == "processing"
    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["failed", "complete"]


def test_callback_for_a_cancelled_job_leaves_it_cancelled(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    del at_work
    job_id = deployment.separate(takes.wav(60), "cancelled.wav", FAR)
    deployment.wait_state(job_id, "processing", phase="separating")
    deployment.call("POST", f"/api/jobs/{job_id}/cancel")

    assert call_back(deployment, job_id).status_code == httpx.codes.NO_CONTENT
    assert deployment.status(job_id)["state"] == "cancelled"
    assert job_id not in {row["job_id"] for row in deployment.books.rows("SELECT * FROM usage")}


def test_service_killed_by_a_callback_ends_the_job_once_when_it_is_back(
    deployment: ServiceDeployment, at_work: Part, takes: Takes, tmp_path: Path
) -> None:
    at_work.kill()
    crashing = {"STEMSET_CRASH_AT": f"api:callback@{tmp_path / 'crashed'}"}
    killed = deployment.serve("--no-compute", **crashing)
    job_id = deployment.separate(takes.wav(60), "killed.wav", FAR)
    deployment.wait_state(job_id, "processing", phase="separating")
    with pytest.raises(httpx.TransportError):
        call_back(deployment, job_id)
    killed.wait_crashed()

    again = deployment.serve("--no-compute", **crashing)

    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]
    again.kill()


def test_callback_that_never_comes_is_not_missed(
    deployment: ServiceDeployment, at_work: Part, takes: Takes
) -> None:
    at_work.kill()
    serving = deployment.serve("--no-compute", BACKEND_URL="")
    job_id = deployment.separate(takes.wav(), "never.wav", FAR)

    deployment.assert_complete(job_id)
    # The callback of a job before may come now, for the third time.
    assert job_id not in {line["job_id"] for line in serving.lines("Called back")}
    serving.kill()
