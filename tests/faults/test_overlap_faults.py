"""Several processes on one database, of which some end, die or freeze in the middle of a job."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deployment import free_port
from newer_version import newer_version
from numpy.typing import NDArray
from running_parts import Part, wait_for
from s3_server import S3Server
from service_deployment import FAR, HERE, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=5)


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    """A database, a bucket and a worker; no service yet."""
    del example
    s3_server.mend()
    bucket = s3_server.new_bucket()
    with service(tmp_path / "service", database_conninfo, bucket) as made:
        made.worker()
        yield made


def at_work_on(part: Part, *job_ids: str) -> bool:
    return {line.get("job_id") for line in part.lines("Processing with")} >= set(job_ids)


def test_old_service_that_is_told_to_stop_leaves_its_jobs_to_the_new_one(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    old = deployment.serve()
    far = deployment.separate(takes.wav(60), "far.wav", FAR)
    here = deployment.separate(takes.wav(60), "here.wav", HERE)
    for job_id in (far, here):
        deployment.wait_state(job_id, "processing", phase="separating")
    deployment.port = free_port()
    new = deployment.serve()

    assert old.terminate(15) == 0

    deployment.assert_complete(far, here)
    assert deployment.books.outcomes(far) == ["complete"]
    assert deployment.books.outcomes(here) == ["passed_over", "complete"]
    assert len(new.lines("Job")) >= 2
    assert new.terminate() == 0


def test_new_version_finishes_the_jobs_of_the_old_one(
    deployment: ServiceDeployment, takes: Takes, tmp_path: Path
) -> None:
    (old_worker,) = deployment.parts
    old = deployment.serve()
    far = deployment.separate(takes.wav(60), "far.wav", FAR)
    here = deployment.separate(takes.wav(60), "here.wav", HERE)
    waiting = deployment.separate(takes.wav(), "waiting.wav", HERE)
    for job_id in (far, here):
        deployment.wait_state(job_id, "processing", phase="separating")
    newer = newer_version(tmp_path / "newer")

    assert old.terminate() == 0
    new = deployment.serve(**newer)
    between = deployment.separate(takes.wav(), "between.wav", FAR)
    deployment.wait_ended(far)
    refused = "Attempt 1 ended: interrupted"
    wait_for(lambda: between in {line["job_id"] for line in new.lines(refused)}, refused, new.log)
    assert old_worker.terminate() == 0
    deployment.worker(**newer)

    deployment.assert_complete(far, here, waiting, between)
    jobs = deployment.books.rows("SELECT id, fingerprint FROM jobs")
    made = {job["id"]: job["fingerprint"] for job in jobs}
    assert made[here] == made[waiting] == made[between] != made[far]
    assert deployment.books.outcomes(far) == ["complete"]
    assert deployment.books.outcomes(here) == ["interrupted", "complete"]
    assert deployment.books.outcomes(between)[-2:] == ["interrupted", "complete"]
    assert [deployment.process(f"{name}.wav", HERE) for name in ("here", "waiting")] == [
        here,
        waiting,
    ]
    assert new.terminate() == 0


def test_processes_that_die_or_freeze_lose_no_job_and_do_none_twice(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    """All at once: the lease of a dead process takes half a minute to run out."""
    old = deployment.serve("--no-compute")
    dying = deployment.consume()
    of_dying = deployment.separate(takes.wav(60), "dying.wav")
    wait_for(lambda: at_work_on(dying, of_dying), "it is computed", dying.log)
    frozen = deployment.consume()
    of_frozen = deployment.separate(takes.wav(60), "frozen.wav")
    wait_for(lambda: at_work_on(frozen, of_frozen), "it is computed", frozen.log)
    frozen.signal(signal.SIGSTOP)
    dying.kill()
    far = deployment.separate(takes.wav(60), "far.wav", FAR)
    deployment.wait_state(far, "processing", phase="separating")
    deployment.port = free_port()
    deployment.serve("--no-compute")
    old.kill()

    heir = deployment.consume()
    deployment.assert_complete(far, of_dying, of_frozen)
    before = [deployment.books.state(job_id) for job_id in (far, of_dying, of_frozen)]
    frozen.signal(signal.SIGCONT)
    frozen.wait_line("An entry is another's by now")
    later = deployment.separate(takes.wav(), "later.wav")

    deployment.assert_complete(later)
    assert deployment.books.outcomes(far) == ["complete"]
    for job_id in (of_dying, of_frozen):
        assert deployment.books.outcomes(job_id) == ["passed_over", "complete"]
        assert at_work_on(heir, job_id)
    assert [deployment.books.state(each["id"]) for each in before] == before
    assert frozen.terminate() == 0
