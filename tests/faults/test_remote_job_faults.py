"""What becomes of a service's jobs when their worker dies, sleeps or is to stop: really made."""

import signal
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from running_parts import Part, assert_gone, wait_for
from s3_server import S3Server
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=4)


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory, example: object, s3_server: S3Server
) -> Iterator[ServiceDeployment]:
    """A service with a bucket, at work; no worker yet."""
    del example
    s3_server.mend()
    folder = tmp_path_factory.mktemp("remote") / "service"
    with service(folder, bucket=s3_server.new_bucket()) as made:
        made.serve("--no-compute")
        yield made


@pytest.fixture
def worker(serving: ServiceDeployment) -> Iterator[Part]:
    made = serving.worker()
    yield made
    made.kill()


def cancel(deployment: ServiceDeployment, job_id: str) -> str:
    return deployment.call("POST", f"/api/jobs/{job_id}/cancel").json()["state"]


def test_job_whose_worker_sleeps_waits_for_it_and_can_be_cancelled_meanwhile(
    serving: ServiceDeployment, takes: Takes
) -> None:
    cancelled = serving.separate(takes.wav(), "waking.wav", FAR)
    kept = serving.separate(takes.wav(), "kept.wav", FAR)
    serving.wait_state(cancelled, "waking")

    assert [cancel(serving, cancelled) for _ in range(2)] == ["cancelled"] * 2
    worker = serving.worker()

    serving.assert_complete(kept)
    assert serving.status(cancelled)["state"] == "cancelled"
    assert [line["job_id"] for line in worker.lines("Downloading input")] == [kept]
    worker.kill()


def test_job_that_is_computed_is_cancelled_and_the_workers_process_gone_at_once(
    serving: ServiceDeployment, worker: Part, takes: Takes
) -> None:
    job_id = serving.separate(takes.wav(120), "cancelled.wav", FAR)
    serving.wait_state(job_id, "processing", phase="separating")
    computing = worker.computing()
    assert computing

    assert [cancel(serving, job_id) for _ in range(2)] == ["cancelled"] * 2

    assert_gone(computing, 5)
    serving.assert_complete(serving.separate(takes.wav(), "after.wav", FAR))
    assert serving.books.outcomes(job_id) == ["cancelled"]


def test_worker_killed_in_the_middle_of_a_job_is_followed_by_another(
    serving: ServiceDeployment, worker: Part, takes: Takes
) -> None:
    job_id = serving.separate(takes.wav(60), "killed.wav", FAR)
    serving.wait_state(job_id, "processing", phase="separating")
    worker.kill()
    again = serving.worker()

    serving.assert_complete(job_id)
    assert serving.books.outcomes(job_id) == ["passed_over", "complete"]
    again.kill()


def test_worker_told_to_stop_in_the_middle_of_a_job_costs_the_job_no_attempt(
    serving: ServiceDeployment, worker: Part, takes: Takes
) -> None:
    job_id = serving.separate(takes.wav(60), "stopped.wav", FAR)
    serving.wait_state(job_id, "processing", phase="separating")
    assert worker.terminate() == 0
    again = serving.worker()

    serving.assert_complete(job_id)
    assert serving.books.outcomes(job_id) == ["interrupted", "complete"]
    again.kill()


def test_computing_process_killed_again_and_again_fails_the_job_and_not_the_next(
    serving: ServiceDeployment, worker: Part, takes: Takes
) -> None:
    job_id = serving.separate(takes.wav(60), "poison.wav", FAR)
    later = serving.separate(takes.wav(), "later.wav", FAR)
    for attempt in (1, 2, 3):
        wait_for(
            lambda number=attempt: worker.begun(job_id) == number, f"attempt {attempt} computes"
        )
        for process in worker.computing():
            process.send_signal(signal.SIGKILL)

    assert serving.wait_ended(job_id) == ["error"]
    assert serving.status(job_id)["error_code"] == "computing_crashed"
    assert serving.books.outcomes(job_id) == ["failed"] * 3
    serving.assert_complete(later)
