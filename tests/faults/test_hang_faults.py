"""Computing processes that hang in a whole deployment: stopped by a signal while they separate.

The watchdog is told to wait less than its ten minutes (``STEMSET_STALL_S``); the half hour that an
order has at least passes at once, by the clock of the worker that is to notice it.
"""

import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
from clock_off import clock_that_steps
from numpy.typing import NDArray
from running_parts import Part, assert_gone, wait_for
from service_deployment import FAR, HERE, ServiceDeployment
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3]

STALL_S = 30.0
"""No attempt that works is silent for so long, even if others have the processor as well."""

DEADLINE_S = 1800.0


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=31)


def hang(site: ServiceDeployment, computes: Part, job_id: str) -> psutil.Process:
    """Stop the process that separates, for good."""
    site.wait_state(job_id, "processing", phase="separating")
    (computing,) = computes.computing()
    computing.send_signal(signal.SIGSTOP)
    return computing


@pytest.mark.parametrize("who", ["worker", "service", "consumer"])
def test_computing_process_that_hangs_is_killed_and_the_next_attempt_completes(
    site: ServiceDeployment, takes: Takes, who: str
) -> None:
    patience = {"STEMSET_STALL_S": f"{STALL_S:g}"}
    if who == "service":
        computes = site.serve(**patience)
    else:
        site.serve("--no-compute")
        computes = site.worker(**patience) if who == "worker" else site.consume(**patience)
    job_id = site.separate(takes.wav(60), "hangs.wav", FAR if who == "worker" else HERE)
    hung = hang(site, computes, job_id)
    wait_for(lambda: site.books.outcomes(job_id)[0], "the hang is noticed", computes.log)

    site.assert_complete(job_id)

    assert_gone([hung], 0)
    failed, complete = site.books.attempts(job_id)
    assert failed["outcome"] == "failed"
    assert failed["error"]["code"] == "computing_stalled"
    assert f"No progress in {STALL_S:g} s" in failed["error"]["detail"]
    assert complete["outcome"] == "complete"


def test_computing_process_that_hangs_past_its_deadline_ends_the_job_and_not_the_next(
    site: ServiceDeployment, takes: Takes, tmp_path: Path
) -> None:
    later, step = tmp_path / "later", tmp_path / "step"
    clock = clock_that_steps(tmp_path / "clock", step)
    site.serve("--no-compute")
    worker = site.worker(**clock, STEMSET_STALL_S=f"{2 * DEADLINE_S:g}")
    job_id = site.separate(takes.wav(60), "late.wav", FAR)
    after = site.separate(takes.wav(), "after.wav", FAR)
    hung = hang(site, worker, job_id)
    later.write_text(f"{DEADLINE_S:g}")

    later.rename(step)

    assert site.wait_ended(job_id) == ["error"]
    assert site.status(job_id)["error_code"] == "deadline_passed"
    site.assert_complete(after)
    assert_gone([hung], 0)
    (attempt,) = site.books.attempts(job_id)
    assert attempt["error"]["code"] == "deadline_passed"
