"""Processes whose wall clock is hours off: what is shared goes by the database's clock."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clock_off import clock_off
from numpy.typing import NDArray
from service_deployment import ServiceDeployment, service
from short_takes import Takes

from stemset.jobs.recovery import EVERY_S

pytestmark = pytest.mark.slow

OFF = pytest.mark.parametrize("off_s", [7200, -7200], ids=["ahead", "behind"])


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32], example: object) -> Takes:
    del example  # its model is what is needed
    return Takes(song, seed=29)


@pytest.fixture
def deployment(tmp_path: Path, database_conninfo: str) -> Iterator[ServiceDeployment]:
    with service(tmp_path / "service", database_conninfo) as made:
        yield made


@OFF
def test_process_whose_clock_is_off_takes_no_job_from_another(
    deployment: ServiceDeployment, takes: Takes, tmp_path: Path, off_s: int
) -> None:
    at_work = deployment.serve()
    job_id = deployment.separate(takes.wav(60), "under-way.wav")
    deployment.wait_state(job_id, "processing", phase="separating")
    computing = at_work.computing()
    assert computing
    for process in computing:
        process.suspend()

    deployment.consume(**clock_off(tmp_path / "clock", off_s))
    later = deployment.separate(takes.wav(), "later.wav")
    assert deployment.wait_ended(later) == ["complete"]
    time.sleep(2 * EVERY_S)  # dead processes are looked for in between
    for process in computing:
        process.resume()

    deployment.assert_complete(job_id, later)
    assert deployment.books.outcomes(job_id) == ["complete"]


@OFF
def test_job_of_a_process_whose_clock_is_off_is_tried_again_in_time(
    deployment: ServiceDeployment, takes: Takes, tmp_path: Path, off_s: int
) -> None:
    at_work = deployment.serve(**clock_off(tmp_path / "clock", off_s))
    crashed = deployment.separate(takes.wav(60), "crashed.wav")
    deployment.wait_state(crashed, "processing", phase="separating")
    for process in at_work.computing():
        process.kill()
    deployment.assert_complete(crashed)

    stopped = deployment.separate(takes.wav(60), "stopped.wav")
    deployment.wait_state(stopped, "processing", phase="separating")
    assert at_work.terminate() == 0
    deployment.serve()

    deployment.assert_complete(stopped)
    assert deployment.books.outcomes(crashed) == ["failed", "complete"]
