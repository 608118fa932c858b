"""What Stemset tells that work costs, beside what a platform asks for: within 1 % of it.

Every part is a real one but the platform, which is ours. The same stories are told of both ways to
order, at the same time: mostly they wait for workers to fall asleep.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from paid_time import IDLE_S, Side, assert_told, commands, serving
from s3_server import S3Server
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.s3, pytest.mark.alone]


@pytest.fixture
def sides(
    tmp_path: Path, s3_server: S3Server, database_conninfo: str, example: object
) -> Iterator[Sequence[Side]]:
    """Both ways."""
    del example
    s3_server.mend()
    with ExitStack() as stack:
        service = serving(tmp_path / "service", s3_server.new_bucket(), database_conninfo)
        command = commands(tmp_path / "command", s3_server.new_bucket())
        yield [stack.enter_context(service), stack.enter_context(command)]


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=11)


def tell_of(story: Callable[[Side], None], sides: Sequence[Side]) -> None:
    """Have a story happen in every way, and compare what it cost."""
    with ThreadPoolExecutor(len(sides)) as pool:
        list(pool.map(story, sides))
        list(pool.map(assert_told, sides))


def test_one_job_costs_what_the_platform_asks_for(sides: Sequence[Side], takes: Takes) -> None:
    wav = takes.wav(20)

    tell_of(lambda side: side.have_done([wav]), sides)

    assert [side.platform.wakes for side in sides] == [1, 1]


def test_jobs_that_wait_together_and_one_that_comes_while_the_worker_idles_are_one_wake(
    sides: Sequence[Side], takes: Takes
) -> None:
    *together, later = (takes.wav(10) for _ in range(4))

    def story(side: Side) -> None:
        side.have_done(together)
        time.sleep(IDLE_S / 3)
        side.have_done([later])

    tell_of(story, sides)

    assert [side.platform.wakes for side in sides] == [1, 1]


def test_job_whose_worker_was_killed_in_the_middle_costs_what_was_done_twice(
    sides: Sequence[Side], takes: Takes
) -> None:
    wav = takes.wav(60)

    def story(side: Side) -> None:
        side.begin(wav)
        side.kill_worker()
        side.finish()

    tell_of(story, sides)

    assert [side.platform.wakes for side in sides] == [1, 1]
    assert [side.platform.restarts for side in sides] == [1, 1]
