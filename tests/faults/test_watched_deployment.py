"""What an operator sees of a song's way: one id in the logs of all processes, and the figures."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from running_parts import Part
from s3_server import S3Server
from service_deployment import FAR, HERE, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]

TOKEN = "of-whoever-watches-this"  # noqa: S105 - of these tests
ID = "song.on-its_way-1"


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=11)


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory, example: object, s3_server: S3Server
) -> Iterator[ServiceDeployment]:
    """A service with a bucket that computes and is called back; no worker yet."""
    del example
    s3_server.mend()
    folder = tmp_path_factory.mktemp("watched") / "service"
    with service(folder, bucket=s3_server.new_bucket(), calls_back=True) as made:
        made.serve(STEMSET_METRICS_TOKEN=TOKEN)
        yield made


@pytest.fixture(scope="module")
def far_job(serving: ServiceDeployment, takes: Takes) -> str:
    """A job that woke the worker and is complete; it came with an id."""
    job_id = ordered(serving, takes.wav(), FAR, ID)
    serving.wait_state(job_id, "waking")
    worker = serving.worker(STEMSET_METRICS_TOKEN=TOKEN)
    serving.assert_complete(job_id)
    worker.wait_line("Callback: 204")
    serving.parts[0].wait_line("Called back: complete")
    return job_id


def ordered(serving: ServiceDeployment, wav: bytes, profile: str, request_id: str) -> str:
    """Upload and order as a page does that names its calls."""
    name = f"{profile}.wav"
    headers = {"x-request-id": request_id}
    form = {"files": {"file": (name, wav, "audio/wav")}, "data": {"profile_name": profile}}
    serving.ask("POST", "/api/upload", headers=headers, **form).raise_for_status()
    body = {"profile_name": profile, "filename": name}
    answer = serving.ask("POST", "/api/process", headers=headers, json=body)
    return answer.json()["job_id"]


def grep(part: Part, text: str) -> list[dict[str, Any]]:
    """A process's log lines, and those of its computing process, that hold a text."""
    return [line for line in part.lines() if text in json.dumps(line)]


def steps(lines: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Which room told of what, in the first words."""
    return {(line["room"], " ".join(line["event"].split()[:2])) for line in lines}


def samples(answer: httpx.Response) -> dict[tuple[str, ...], float]:
    """All samples, by name and label values in the order of the labels' names."""
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def with_token(url: str, token: str = TOKEN) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{url}/metrics", headers=headers, trust_env=False)


def test_one_id_is_in_the_logs_of_service_worker_and_computing_process_at_every_step(
    serving: ServiceDeployment, far_job: str
):
    api, worker = serving.parts

    assert steps(grep(api, ID)) >= {
        ("api", "Upload kept"),
        ("api", f"Job {far_job}"),
        ("jobs", "Called back:"),
        ("jobs", f"Job {far_job}"),
        ("jobs", "Stems: ['vocals',"),
    }
    assert steps(grep(worker, ID)) >= {
        ("worker", "Order accepted"),
        ("pipeline", "Downloading input:"),
        ("pipeline", "Processing with"),
        ("pipeline", "Uploading 2"),
        ("worker", "Attempt ended:"),
        ("worker", "Calling back"),
        ("worker", "Callback: 204"),
    }


def test_every_line_about_a_job_has_the_id_of_its_call(serving: ServiceDeployment, far_job: str):
    lines = [line for part in serving.parts for line in part.lines() if "job_id" in line]

    of_job = [line for line in lines if line["job_id"] == far_job]
    assert len(of_job) >= 10
    assert {line.get("request_id") for line in of_job} == {ID}


def test_one_id_is_in_the_log_of_a_computing_process_of_the_services_own(
    serving: ServiceDeployment, takes: Takes
):
    job_id = ordered(serving, takes.wav(), HERE, "here-1")
    serving.assert_complete(job_id)

    assert steps(grep(serving.parts[0], "here-1")) >= {
        ("api", "Upload kept"),
        ("pipeline", "Downloading input:"),
        ("pipeline", "Uploading 2"),
        ("jobs", f"Job {job_id}"),
    }


def test_figures_of_the_service_tell_of_the_wake_and_the_work(
    serving: ServiceDeployment, far_job: str
):
    del far_job
    found = samples(with_token(serving.url))

    assert found["stemset_wake_seconds_count",] == 1
    assert 0.5 < found["stemset_wake_seconds_sum",] < 60
    assert found["stemset_job_wait_seconds_count", "worker"] == 1
    assert 0.5 < found["stemset_job_wait_seconds_sum", "worker"] < 60
    assert found["stemset_attempts_ended_total", "", "complete", "worker"] == 1
    assert found["stemset_computing_seconds_total", "cpu", FAR, "worker"] > 0
    assert found["stemset_splits_total", "cpu", "spleeter-2stems"] >= 1
    assert found["stemset_audio_seconds_total", "cpu", "spleeter-2stems"] >= 1.9
    assert found["stemset_split_seconds_total", "cpu", "spleeter-2stems"] > 0
    assert found["stemset_callbacks_total", "complete"] == 1
    assert found["stemset_uploads_completed_total", "whole"] >= 1
    assert found["stemset_storage_calls_total", "upload"] >= 1
    assert found["stemset_jobs_followed", "worker"] == 0


def test_figures_of_the_worker_tell_of_the_work_and_the_callback(
    serving: ServiceDeployment, far_job: str
):
    del far_job
    found = samples(with_token(f"http://127.0.0.1:{serving.worker_port}"))

    assert found["stemset_worker_ready",] == 1
    assert found["stemset_worker_busy",] == 0
    assert found["stemset_worker_orders_total", "accepted"] == 1
    assert found["stemset_worker_attempts_total", "", "complete"] == 1
    assert found["stemset_worker_computing_seconds_total", "cpu"] > 0
    assert found["stemset_worker_callbacks_total", "taken"] == 1
    assert found["stemset_worker_callback_tries_total", "2xx"] == 1


def test_figures_of_the_worker_need_the_token(serving: ServiceDeployment, far_job: str):
    del far_job
    url = f"http://127.0.0.1:{serving.worker_port}"

    assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 401
    assert with_token(url, f"{TOKEN}x").status_code == 401
