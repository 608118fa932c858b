"""The secret of service and worker is replaced while jobs run, as docs/deployment.md says."""

import base64
import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from running_parts import Part, wait_for
from s3_server import S3Server
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]

GUIDE = Path(__file__).parents[2] / "docs" / "deployment.md"
OLD, NEW = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
# Each is everywhere before the next one is anywhere.
VALUES = [OLD, f"{OLD} {NEW}", f"{NEW} {OLD}", NEW]
STEPS = list(pairwise(VALUES))


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=7)


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    """A database and a bucket; a worker would call back."""
    del example
    s3_server.mend()
    bucket = s3_server.new_bucket()
    with service(tmp_path / "service", database_conninfo, bucket, calls_back=True) as made:
        yield made


class Sides:
    """A service and a worker, each of which has one value at a time."""

    def __init__(self, deployment: ServiceDeployment) -> None:
        self._deployment = deployment
        self._running: dict[str, Part] = {}

    def restart(self, side: str, value: str) -> None:
        """Have a side go, if it runs, and come back with a value."""
        if side in self._running:
            assert self._running[side].terminate() == 0
        start = {"service": self._serve, "worker": self._deployment.worker}[side]
        self._running[side] = start(STEMSET_WORKER_SECRET=value)

    def _serve(self, **env: str) -> Part:
        return self._deployment.serve("--no-compute", **env)


def said(deployment: ServiceDeployment, event: str) -> list[dict[str, object]]:
    """What any process logged."""
    return [line for part in deployment.parts for line in part.lines(event)]


def refusals(deployment: ServiceDeployment) -> list[dict[str, object]]:
    """Orders that the worker refused, and callbacks that the service did."""
    return said(deployment, "Signature refused") + said(deployment, "Call refused")


@pytest.mark.parametrize("order", [("worker", "service"), ("service", "worker")])
def test_secret_replaced_step_by_step_refuses_no_order_and_no_callback(
    deployment: ServiceDeployment, takes: Takes, order: Sequence[str]
):
    sides = Sides(deployment)
    for side in order:
        sides.restart(side, OLD)
    jobs = []
    for _, value in STEPS:
        for side in order:
            jobs.append(deployment.separate(takes.wav(30), f"{len(jobs)}.wav", FAR))
            deployment.wait_state(jobs[-1], "processing", phase="separating")
            sides.restart(side, value)
            jobs.append(deployment.separate(takes.wav(), f"{len(jobs)}.wav", FAR))
            deployment.wait_ended(*jobs)

    deployment.assert_complete(*jobs)
    assert refusals(deployment) == []
    called_back = {line["job_id"] for line in said(deployment, "Called back: complete")}
    assert called_back >= set(jobs[1::2])  # those that nothing interrupted


def test_secret_that_signs_before_the_other_side_knows_it_is_refused(
    deployment: ServiceDeployment, takes: Takes
):
    sides = Sides(deployment)
    sides.restart("worker", f"{NEW} {OLD}")
    sides.restart("service", OLD)

    job_id = deployment.separate(takes.wav(), "take.wav", FAR)

    deployment.assert_complete(job_id)  # by its manifest
    wait_for(lambda: refusals(deployment), "the callback is refused")
    assert {line["code"] for line in refusals(deployment)} == {"signature_invalid"}


def test_guide_gives_the_values_in_this_order():
    spoken = [value.replace(OLD, "old").replace(NEW, "new") for value in VALUES[1:]]

    assert re.findall(r"^\| \d \| `([^`]+)`", GUIDE.read_text("utf-8"), re.MULTILINE) == spoken
