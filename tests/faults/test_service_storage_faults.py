"""What becomes of a service's jobs when its bucket goes away, is slow, or is full."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from r2_proxy import Kind, r2_before
from running_parts import Part, wait_for
from s3_server import S3Server
from service_deployment import HERE, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]

RETRY_S = 2.0
"""How long a call to the bucket is tried again, instead of half a minute."""

STILL_S = 8.0


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=13)


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    """A service that computes by itself, with a bucket."""
    del example
    s3_server.mend()
    with service(tmp_path / "service", database_conninfo, s3_server.new_bucket()) as made:
        yield made
    s3_server.mend()


@contextmanager
def gone(s3_server: S3Server) -> Iterator[None]:
    s3_server.stop_gateway()
    try:
        yield
    finally:
        s3_server.start_gateway()


def serving(deployment: ServiceDeployment) -> Part:
    return deployment.serve(STEMSET_STORAGE_RETRY_S=f"{RETRY_S:g}")


def test_job_whose_bucket_is_gone_when_it_would_store_its_stems_is_done_when_it_is_back(
    deployment: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    at_work = serving(deployment)
    job_id = deployment.separate(takes.wav(60), "under-way.wav")
    waiting = deployment.separate(takes.wav(), "waiting.wav")
    deployment.wait_state(job_id, "processing", phase="separating")

    with gone(s3_server):
        at_work.wait_line("The store does not answer")
        states = [deployment.status(each)["state"] for each in (job_id, waiting)]

    deployment.assert_complete(job_id, waiting)
    assert set(states) <= {"queued", "processing"}
    assert deployment.books.outcomes(job_id) == ["interrupted", "complete"]
    assert deployment.books.outcomes(waiting) == ["complete"]


def test_bucket_that_stands_still_for_a_while_costs_no_attempt(
    deployment: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    deployment.serve()
    job_id = deployment.separate(takes.wav(60), "frozen.wav")
    deployment.wait_state(job_id, "processing", phase="separating")

    s3_server.freeze()
    time.sleep(STILL_S)
    s3_server.thaw()

    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]


def test_callers_are_told_that_the_bucket_is_gone_and_taken_when_it_is_back(
    deployment: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    serving(deployment)
    form = {
        "files": {"file": ("new.wav", takes.wav(), "audio/wav")},
        "data": {"profile_name": HERE},
    }

    with gone(s3_server):
        refused = deployment.call("POST", "/api/upload", **form)
        alive = deployment.call("GET", "/livez")

    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert refused.json()["error"]["code"] == "storage_unavailable"
    assert "retry-after" in refused.headers
    assert alive.status_code == httpx.codes.OK
    deployment.assert_complete(deployment.separate(takes.wav(), "later.wav"))


def test_job_whose_bucket_is_full_waits_and_is_done_when_there_is_room(
    deployment: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    assert deployment.bucket is not None
    serving(deployment)
    wav = takes.wav(8)
    deployment.upload(wav, "full.wav")
    s3_server.limit_bucket(deployment.bucket.bucket, len(wav) + 1000)
    job_id = deployment.process("full.wav")

    wait_for(lambda: deployment.books.outcomes(job_id) != [], "an attempt has no room")
    s3_server.limit_bucket(deployment.bucket.bucket, None)

    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id)[-1] == "complete"


@pytest.mark.parametrize("fault", ["replaced", "deleted"])
def test_recording_that_changes_in_the_bucket_fails_its_job_and_can_come_again(
    deployment: ServiceDeployment, takes: Takes, fault: str
) -> None:
    deployment.serve()
    wav, other = takes.wav(8), takes.wav(8)
    deployment.upload(wav, "changed.wav")
    (row,) = deployment.books.rows("SELECT input_key FROM recordings")
    if fault == "replaced":
        deployment.store.write(row["input_key"], other)
    else:
        deployment.store.delete([row["input_key"]])

    job_id = deployment.process("changed.wav")

    assert deployment.wait_ended(job_id) == ["error"]
    assert deployment.status(job_id)["error_code"] == "input_changed"
    deployment.upload(wav, "changed.wav")
    again = deployment.call("POST", f"/api/jobs/{job_id}/retry").json()["job_id"]
    deployment.assert_complete(again)


def test_bit_that_flips_on_the_way_is_noticed_and_the_job_is_done(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, takes: Takes, example: Path
) -> None:
    del example
    s3_server.mend()
    bucket = s3_server.new_bucket()
    with r2_before(bucket.endpoint) as way:
        through = replace(bucket, endpoint=way.endpoint)
        with service(tmp_path / "service", database_conninfo, through) as deployment:
            deployment.serve()
            wav = takes.wav(8)
            deployment.upload(wav, "flipped.wav")
            (row,) = deployment.books.rows("SELECT input_key FROM recordings")
            way.fails(Kind.FLIPPED_BIT, "GET", row["input_key"])

            job_id = deployment.process("flipped.wav")

            deployment.assert_complete(job_id)
            assert all(fault.times == 0 for fault in way.faults)
