"""A worker that takes two minutes to start, and the edge before it, which says so in many ways."""

import time

import httpx
import numpy as np
import pytest
from deployment import free_port
from numpy.typing import NDArray
from running_parts import wait_for
from service_deployment import FAR, ServiceDeployment
from short_takes import Takes
from switchboard import ORDERS, SILENT, switchboard

pytestmark = [pytest.mark.slow, pytest.mark.s3]

COLD_S = 120.0
ANSWERS = (502, 503, SILENT, 504)
STAGE_S = COLD_S / (len(ANSWERS) + 2)
BUSY = 409


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=37)


def assert_waits(site: ServiceDeployment, job_id: str, until_s: float) -> None:
    """A job is waiting for its worker, up to a moment of the monotonic clock, in one attempt."""
    while time.monotonic() < until_s:
        status = site.status(job_id)
        assert status["state"] == "waking", status
        assert status["error"] is None
        assert [each["outcome"] for each in site.books.attempts(job_id)] == [None]
        time.sleep(0.5)


def test_worker_that_starts_for_two_minutes_is_waited_for_in_one_attempt(
    site: ServiceDeployment, takes: Takes
) -> None:
    port = free_port()
    site.serve("--no-compute", GPU_WORKER_URL=f"http://127.0.0.1:{port}")
    job_id = site.separate(takes.wav(), "cold.wav", FAR)
    site.wait_state(job_id, "waking")
    began_s = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    assert_waits(site, job_id, began_s + STAGE_S)

    with switchboard(site.worker_port, port) as edge:
        for number, answer in enumerate(ANSWERS, 2):
            edge.says = {b"": answer}
            assert_waits(site, job_id, began_s + number * STAGE_S)
            edge.cut()
        edge.says = {ORDERS: BUSY}
        worker = site.worker()
        wait_for(lambda: edge.said[BUSY], "the order is refused", worker.log)
        assert_waits(site, job_id, began_s + COLD_S)
        assert worker.lines("Downloading input") == []
        assert edge.ordered == 0
        edge.says = {}

        site.assert_complete(job_id)

    assert all(edge.said[each] for each in (*ANSWERS, BUSY)), edge.said
    (attempt,) = site.books.attempts(job_id)
    assert attempt["outcome"] == "complete"
    assert (attempt["accepted_at"] - attempt["began_at"]).total_seconds() >= COLD_S
    assert edge.ordered == 1
    assert worker.begun(job_id) == 1
