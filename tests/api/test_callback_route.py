"""A worker's callback at the service's own door: who signed it, and when."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from library_service import world_of
from prometheus_client.parser import text_string_to_metric_families
from service_client import RunningService, running_service
from standing_stems import accepted, found, note, request

from stemset.jobs.job import Job
from stemset.orders.messages import Report, Status
from stemset.orders.phase import Phase
from stemset.orders.signing import ID, SIGNATURE, TIMESTAMP, sign

NEW, OLD, STRANGE = ("whsec_" + letter * 43 + "=" for letter in "ABC")
TEN_MINUTES_S = 600
FOUR_MINUTES_S = 240


@pytest.fixture
def running(tmp_path: Path, database_conninfo: str) -> Iterator[RunningService]:
    environ = {"STEMSET_WORKER_SECRET": f"{NEW} {OLD}"}
    with running_service(tmp_path, database_conninfo, environ=environ) as service:
        yield service


@pytest.fixture
def job(running: RunningService) -> Job:
    async def waits() -> Job:
        world = world_of(running)
        await note(world, found())
        return await accepted(world, request(found()))

    return running.run(waits)


def report(job: Job) -> bytes:
    """What a worker says that is done."""
    return Report(
        job_id=job.id, attempt=1, seq=9, status=Status.COMPLETE, phase=Phase.UPLOADING
    ).line()


def call(
    running: RunningService, job: Job, headers: dict[str, str], body: bytes | None = None
) -> httpx.Response:
    path = f"/api/jobs/{job.id}/callback"
    return running.client.post(path, content=body or report(job), headers=headers)


def signed(job: Job, secret: str = NEW, off_s: float = 0) -> dict[str, str]:
    return sign([secret], f"callback-{job.id}-1", report(job), time.time() + off_s)


def refused(running: RunningService, code: str) -> float:
    """How many callbacks the service says that it did not believe."""
    shown = text_string_to_metric_families(running.client.get("/metrics").text)
    (family,) = [each for each in shown if each.name == "stemset_callbacks_refused"]
    (count,) = [
        each.value
        for each in family.samples
        if each.labels == {"code": code} and each.name.endswith("_total")
    ]
    return count


@pytest.mark.parametrize("missing", [ID, TIMESTAMP, SIGNATURE])
def test_callback_without_a_part_of_its_signature_is_refused_and_counted(
    running: RunningService, job: Job, missing: str
) -> None:
    before = refused(running, "signature_invalid")
    headers = {name: value for name, value in signed(job).items() if name != missing}

    answer = call(running, job, headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signature_invalid")
    assert refused(running, "signature_invalid") == before + 1
    assert running.client.get(f"/api/jobs/{job.id}").json()["state"] == "queued"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({ID: "another"}, id="of-another-message"),
        pytest.param({ID: "a.b"}, id="dot-in-the-id"),
        pytest.param({TIMESTAMP: "yesterday"}, id="no-time"),
        pytest.param({SIGNATURE: "v1,AAAA"}, id="made-up"),
        pytest.param({SIGNATURE: "v9,AAAA"}, id="of-no-known-kind"),
    ],
)
def test_callback_with_a_signature_that_is_not_its_own_is_refused(
    running: RunningService, job: Job, change: dict[str, str]
) -> None:
    answer = call(running, job, signed(job) | change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signature_invalid")


def test_callback_with_the_signature_of_another_moment_is_refused(
    running: RunningService, job: Job
) -> None:
    headers = signed(job)
    headers[TIMESTAMP] = str(int(headers[TIMESTAMP]) - 1)

    answer = call(running, job, headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signature_invalid")


def test_callback_with_one_byte_changed_is_refused(running: RunningService, job: Job) -> None:
    body = report(job).replace(b'"seq":9', b'"seq":8')
    assert body != report(job)

    assert call(running, job, signed(job), body).status_code == 401


@pytest.mark.parametrize("off_s", [-TEN_MINUTES_S, TEN_MINUTES_S])
def test_callback_of_another_time_is_refused_with_how_far_the_clocks_are_apart(
    running: RunningService, job: Job, off_s: float
) -> None:
    before = refused(running, "clock_skewed")

    answer = call(running, job, signed(job, off_s=off_s))

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "clock_skewed")
    assert "300 s are tolerated" in answer.json()["error"]["detail"]
    assert refused(running, "clock_skewed") == before + 1


@pytest.mark.parametrize("off_s", [-FOUR_MINUTES_S, 0, FOUR_MINUTES_S])
@pytest.mark.parametrize("secret", [NEW, OLD], ids=["new", "old"])
def test_callback_is_taken_with_either_secret_within_five_minutes_and_proves_nothing(
    running: RunningService, job: Job, secret: str, off_s: float
) -> None:
    answer = call(running, job, signed(job, secret, off_s))

    assert (answer.status_code, answer.content) == (204, b"")
    assert (
        running.client.get(f"/api/jobs/{job.id}").json()["state"] == "queued"
    )  # nothing proves it


def test_callback_signed_by_a_stranger_is_refused(running: RunningService, job: Job) -> None:
    assert call(running, job, signed(job, STRANGE)).status_code == 401
