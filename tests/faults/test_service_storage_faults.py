"""What becomes of a service's jobs when its bucket goes away, is slow, or is full."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import psycopg
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

GIVEN_UP_AFTER = timedelta(hours=12)
"""How long a job waits for its bucket."""


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=13)


@contextmanager
def gone(s3_server: S3Server) -> Iterator[None]:
    s3_server.stop_gateway()
    try:
        yield
    finally:
        s3_server.start_gateway()


def serving(site: ServiceDeployment) -> Part:
    return site.serve(STEMSET_STORAGE_RETRY_S=f"{RETRY_S:g}")


def asked_for(serving: Part, since: int = 0) -> set[str]:
    """Jobs whose bucket was asked in vain, but for the first so many times."""
    return {line["job_id"] for line in serving.lines("The store does not answer")[since:]}


def make_older(site: ServiceDeployment, job_id: str, by: timedelta) -> None:
    """Have a job been accepted that much earlier."""
    assert site.conninfo is not None
    with psycopg.connect(site.conninfo) as connection:
        connection.execute(
            "UPDATE jobs SET created_at = created_at - %s WHERE id = %s", (by, job_id)
        )


def test_job_whose_bucket_is_gone_when_it_would_store_its_stems_is_done_when_it_is_back(
    site: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    at_work = serving(site)
    job_id = site.separate(takes.wav(60), "under-way.wav")
    waiting = site.separate(takes.wav(), "waiting.wav")
    site.wait_state(job_id, "processing", phase="separating")

    with gone(s3_server):
        at_work.wait_line("The store does not answer")
        states = [site.status(each)["state"] for each in (job_id, waiting)]

    site.assert_complete(job_id, waiting)
    assert set(states) <= {"queued", "processing"}
    assert site.books.outcomes(job_id) == ["interrupted", "complete"]
    assert site.books.outcomes(waiting) == ["complete"]


def test_bucket_that_stands_still_for_a_while_costs_no_attempt(
    site: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    site.serve()
    job_id = site.separate(takes.wav(60), "frozen.wav")
    site.wait_state(job_id, "processing", phase="separating")

    s3_server.freeze()
    time.sleep(STILL_S)
    s3_server.thaw()

    site.assert_complete(job_id)
    assert site.books.outcomes(job_id) == ["complete"]


def test_job_that_has_waited_for_its_bucket_for_12_hours_fails_by_name(
    site: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    at_work = serving(site)
    site.upload(takes.wav(), "forgotten.wav")
    site.upload(takes.wav(), "waits.wav")
    with gone(s3_server):
        forgotten, waits = site.process("forgotten.wav"), site.process("waits.wav")
        wait_for(lambda: asked_for(at_work) >= {forgotten, waits}, "both wait", at_work.log)
        make_older(site, forgotten, GIVEN_UP_AFTER - timedelta(minutes=5))
        times = len(at_work.lines("The store does not answer"))
        wait_for(lambda: asked_for(at_work, times) >= {forgotten}, "it waits on", at_work.log)
        states = [site.status(each)["state"] for each in (forgotten, waits)]

        make_older(site, forgotten, timedelta(minutes=5))

        assert site.wait_ended(forgotten) == ["error"]
    assert states == ["queued", "queued"]
    assert site.status(forgotten)["error_code"] == "storage_unavailable"
    assert site.books.outcomes(forgotten) == []
    again = site.call("POST", f"/api/jobs/{forgotten}/retry").json()["job_id"]
    site.assert_complete(waits, again)


def test_callers_are_told_that_the_bucket_is_gone_and_taken_when_it_is_back(
    site: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    serving(site)
    form = {
        "files": {"file": ("new.wav", takes.wav(), "audio/wav")},
        "data": {"profile_name": HERE},
    }

    with gone(s3_server):
        refused = site.call("POST", "/api/upload", **form)
        alive = site.call("GET", "/livez")

    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert refused.json()["error"]["code"] == "storage_unavailable"
    assert "retry-after" in refused.headers
    assert alive.status_code == httpx.codes.OK
    site.assert_complete(site.separate(takes.wav(), "later.wav"))


def test_job_whose_bucket_is_full_waits_and_is_done_when_there_is_room(
    site: ServiceDeployment, takes: Takes, s3_server: S3Server
) -> None:
    assert site.bucket is not None
    serving(site)
    wav = takes.wav(8)
    site.upload(wav, "full.wav")
    s3_server.limit_bucket(site.bucket.bucket, len(wav) + 1000)
    job_id = site.process("full.wav")

    wait_for(lambda: site.books.outcomes(job_id) != [], "an attempt has no room")
    s3_server.limit_bucket(site.bucket.bucket, None)

    site.assert_complete(job_id)
    assert site.books.outcomes(job_id)[-1] == "complete"


@pytest.mark.parametrize("fault", ["replaced", "deleted"])
def test_recording_that_changes_in_the_bucket_fails_its_job_and_can_come_again(
    site: ServiceDeployment, takes: Takes, fault: str
) -> None:
    site.serve()
    wav, other = takes.wav(8), takes.wav(8)
    site.upload(wav, "changed.wav")
    (row,) = site.books.rows("SELECT input_key FROM recordings")
    if fault == "replaced":
        site.store.write(row["input_key"], other)
    else:
        site.store.delete([row["input_key"]])

    job_id = site.process("changed.wav")

    assert site.wait_ended(job_id) == ["error"]
    assert site.status(job_id)["error_code"] == "input_changed"
    site.upload(wav, "changed.wav")
    again = site.call("POST", f"/api/jobs/{job_id}/retry").json()["job_id"]
    site.assert_complete(again)


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
