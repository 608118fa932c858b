"""The worker's three tries of a callback, with its own pauses, before a real service."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from callback_receiver import PASSED_ON, REDIRECT, SILENT, receiver
from deployment import free_port
from numpy.typing import NDArray
from running_parts import wait_for
from service_deployment import ENDED, FAR, ServiceDeployment
from short_takes import Takes
from switchboard import switchboard

from stemset.worker.callbacks import TRY_WITHIN_S, WAITS_S

pytestmark = [pytest.mark.slow, pytest.mark.s3]

TAKEN = 204


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=29)


@pytest.mark.parametrize("wrong", [(500, 429), (REDIRECT, SILENT)], ids=["refused", "not-taken"])
def test_third_callback_completes_a_job_whose_stream_is_lost(
    site: ServiceDeployment, takes: Takes, wrong: Sequence[int]
) -> None:
    """The service hears nothing of the worker any more: nobody else tells it of the end."""
    with receiver(site.url) as there, switchboard(site.worker_port) as board:
        worker = site.worker(BACKEND_URL=there.url)
        serving = site.serve("--no-compute", GPU_WORKER_URL=board.url, BACKEND_URL=there.url)
        there.answer_with([*wrong, PASSED_ON])
        job_id = site.separate(takes.wav(30), "third.wav", FAR)
        wait_for(lambda: worker.begun(job_id), "it is computed", worker.log)
        board.to = free_port()
        board.cut()

        wait_for(lambda: len(there.came) == len(wrong), "callbacks go wrong", worker.log)
        before = site.status(job_id)["state"]
        wait_for(lambda: len(there.came) > len(wrong), "it is called back again", worker.log)

        site.assert_complete(job_id)
    assert before not in ENDED
    assert [each.answer for each in there.came] == [*wrong, TAKEN]
    assert len({each.message_id for each in there.came}) == 1
    assert [line["state"] for line in serving.lines("Called back")] == [before]
    pauses_s = [after.at_s - first.at_s for first, after in pairwise(there.came)]
    for pause_s, wait_s in zip(pauses_s, WAITS_S, strict=True):
        assert wait_s <= pause_s < wait_s + TRY_WITHIN_S + 10
    assert site.books.outcomes(job_id) == ["complete"]
    assert worker.begun(job_id) == 1
