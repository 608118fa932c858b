"""Answers and callbacks that go wrong between a real service and a real worker: really made."""

import signal
from collections.abc import Iterator
from itertools import repeat

import numpy as np
import pytest
from callback_receiver import BROKEN, REDIRECT, receiver
from deployment import free_port
from numpy.typing import NDArray
from running_parts import Part, wait_for
from service_deployment import FAR, ServiceDeployment
from short_takes import Takes
from switchboard import Switchboard, switchboard

from stemset.jobs.attempts import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.s3]


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=23)


def test_callback_that_goes_wrong_on_its_way_is_not_missed(
    site: ServiceDeployment, takes: Takes
) -> None:
    with receiver(site.url) as there:
        worker = site.worker(BACKEND_URL=there.url)
        serving = site.serve("--no-compute", BACKEND_URL=there.url)
        for number, answer in enumerate((BROKEN, 500, 429, REDIRECT)):
            there.answer_with(repeat(answer))
            before = len(there.came)
            job_id = site.separate(takes.wav(), f"lost-{number}.wav", FAR)

            site.assert_complete(job_id)

            wait_for(
                lambda before=before: len(there.came) > before, "it is called back", worker.log
            )
            assert site.books.outcomes(job_id) == ["complete"]

        wait_for(lambda: len(worker.lines("Callback: ")) >= 4, "callbacks end", worker.log)
    assert serving.lines("Called back") == []


@pytest.mark.parametrize("place", ["before-callback", "after-callback"])
def test_worker_killed_around_its_callback_leaves_the_job_complete(
    site: ServiceDeployment, takes: Takes, place: str
) -> None:
    crash = f"{place}@{site.folder / 'crashed'}"
    worker = site.worker(STEMSET_CRASH_AT=crash, BACKEND_URL=site.url)
    site.serve("--no-compute", BACKEND_URL=site.url)

    job_id = site.separate(takes.wav(), "killed.wav", FAR)

    worker.wait_crashed()
    site.assert_complete(job_id)
    assert site.books.outcomes(job_id) == ["complete"]
    assert worker.begun(job_id) == 1


@pytest.fixture
def board(site: ServiceDeployment) -> Iterator[Switchboard]:
    with switchboard(site.worker_port) as made:
        yield made


def serve_through(site: ServiceDeployment, board: Switchboard) -> Part:
    urls = {"GPU_WORKER_URL": board.url, "BACKEND_URL": site.url}
    return site.serve("--no-compute", **urls)


def test_answer_to_an_order_that_is_lost_again_and_again_costs_no_attempt(
    site: ServiceDeployment, board: Switchboard, takes: Takes
) -> None:
    worker = site.worker(BACKEND_URL=site.url)
    serve_through(site, board)
    board.cuts = 3

    job_id = site.separate(takes.wav(60), "lost.wav", FAR)

    site.assert_complete(job_id)
    assert board.cuts == 0
    assert board.ordered >= 4
    assert worker.begun(job_id) == 1
    assert site.books.outcomes(job_id) == ["complete"]


def test_worker_that_was_frozen_calls_back_too_late_and_changes_nothing(
    site: ServiceDeployment, board: Switchboard, takes: Takes
) -> None:
    frozen = site.worker(BACKEND_URL=site.url)
    serving = serve_through(site, board)
    job_id = site.separate(takes.wav(60), "frozen.wav", FAR)
    wait_for(lambda: frozen.begun(job_id), "it is computed", frozen.log)
    frozen.signal(signal.SIGSTOP)
    site.worker_port = board.to = free_port()
    site.worker(BACKEND_URL=site.url)
    board.cut()
    site.assert_complete(job_id)
    before = site.books.state(job_id), site.books.attempts(job_id)
    heard = len(serving.lines("Called back"))

    frozen.signal(signal.SIGCONT)

    frozen.wait_line("Callback: ")
    wait_for(lambda: len(serving.lines("Called back")) > heard, "it calls back", serving.log)
    assert (site.books.state(job_id), site.books.attempts(job_id)) == before
    assert site.books.outcomes(job_id) == [Outcome.PASSED_OVER, Outcome.COMPLETE]
    site.assert_well()
