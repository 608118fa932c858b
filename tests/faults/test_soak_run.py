"""A soak sees what grows; `scripts/soak.py` makes long ones."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from soak_run import Outcome, Plan, run
from soak_samples import Samples, processes_probe
from soak_slopes import Points, Verdict, slope, trend

SEED = 20_261_129
HOUR_S = 3600.0
NAMES = {"serve", "consume", "consume computing", "database server", "database", "data folder"}

LEAKING = """
import time
kept = []
while True:
    kept.append(open("/dev/null"))
    time.sleep(0.05)
"""
STEADY = """
import time
while True:
    open("/dev/null").close()
    time.sleep(0.05)
"""


def line(begin_s: float, end_s: float, per_hour: float, at_first: float = 100.0) -> Points:
    """What grows evenly, sampled every ten seconds."""
    return [
        (at_s, at_first + per_hour * (at_s - begin_s) / HOUR_S)
        for at_s in np.arange(begin_s, end_s, 10.0).tolist()
    ]


def noisy(points: Points, spread: float) -> Points:
    chance = random.Random(SEED)  # noqa: S311 - nothing is secret here
    return [(at_s, value + chance.gauss(0, spread)) for at_s, value in points]


def test_slope_of_a_line_is_its_own() -> None:
    found = slope([line(0, HOUR_S, 7.0)])

    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((7.0, 7.0, 7.0))


def test_growth_that_each_restart_undoes_is_seen() -> None:
    lives = [noisy(line(begin, begin + 900, 40.0), 1.0) for begin in (0.0, 900.0, 1800.0, 2700.0)]

    found = trend(lives, bound=20.0, warm_up_s=60)

    assert found is not None
    assert found.verdict is Verdict.GROWS
    assert found.slope is not None
    assert found.slope.low < 40 < found.slope.high
    assert abs(found.last - found.first) < 5


def test_noise_without_growth_is_flat() -> None:
    found = trend([noisy(line(0, HOUR_S, 0.0), 5.0)], bound=8.0, warm_up_s=60)

    assert found is not None
    assert found.verdict is Verdict.FLAT


def test_growth_below_the_bound_of_the_time_watched_is_flat_and_beyond_it_grows() -> None:
    hours = [trend([line(0, n * HOUR_S, 3.0)], bound=10.0, warm_up_s=0) for n in (2, 8)]

    assert [each and each.verdict for each in hours] == [Verdict.FLAT, Verdict.GROWS]


def test_first_seconds_of_each_life_are_left_out() -> None:
    lives = [
        [*line(begin, begin + 600, 600.0), *line(begin + 600, begin + 1800, 0.0, at_first=200.0)]
        for begin in (0.0, 1800.0)
    ]

    cold, warm = (trend(lives, bound=5.0, warm_up_s=warm_up_s) for warm_up_s in (0, 600))

    assert cold is not None
    assert cold.first < cold.last
    assert warm is not None
    assert warm.first == warm.last == 200
    assert warm.verdict is Verdict.FLAT


def test_lives_that_are_too_short_say_nothing() -> None:
    found = trend([line(begin, begin + 20, 900.0) for begin in (0.0, 100.0)], 1.0, warm_up_s=0)

    assert found is not None
    assert found.slope is None
    assert found.verdict is Verdict.UNCLEAR


@pytest.fixture(params=[LEAKING, STEADY], ids=["leaking", "steady"])
def stand_in(request: pytest.FixtureRequest) -> "Iterator[tuple[subprocess.Popen[bytes], bool]]":
    """A process, and whether it leaks descriptors."""
    process = subprocess.Popen([sys.executable, "-c", request.param])
    yield process, request.param == LEAKING
    process.kill()
    process.wait()


@pytest.mark.alone
def test_descriptors_that_a_process_leaks_are_reported(
    stand_in: "tuple[subprocess.Popen[bytes], bool]", tmp_path: Path
) -> None:
    process, leaks = stand_in
    probe = processes_probe(lambda: [psutil.Process(process.pid)])
    samples = Samples({"stand-in": probe}, tmp_path / "samples.jsonl", every_s=0.1)
    stopped = threading.Event()

    sampling = samples.run_until(stopped)
    time.sleep(2.5)
    stopped.set()
    sampling.join()
    trends = samples.trends({("stand-in", "descriptors"): 8.0}, warm_up_s=0.5)
    plan = Plan(2.5, SEED, tmp_path)
    outcome = Outcome(plan, 2.5, trends, Counter(), Counter(), Counter())

    assert outcome.grown == (["stand-in: descriptors"] if leaks else [])
    assert ("GROWS: stand-in: descriptors" in str(outcome)) == leaks


@pytest.mark.slow
def test_short_soak_keeps_every_job_and_every_sample(
    song: NDArray[np.float32], tmp_path: Path
) -> None:
    told: list[str] = []
    plan = Plan(8, SEED, tmp_path / "soak", persons=2, pause_s=0.3, is_calm=True, is_far=False)

    outcome = run(song, plan, told.append)

    assert outcome.problems == [], str(outcome)
    assert outcome.states["complete"] > 0
    assert outcome.weeks["not cleaned"] == 0
    samples = list(map(json.loads, (plan.folder / "samples.jsonl").read_text().splitlines()))
    assert set().union(*samples) >= NAMES
    summary = json.loads((plan.folder / "summary.json").read_text())
    assert summary["jobs"] == outcome.states
    assert "serve: descriptors" in summary["series"]
    assert any("serve, descriptors" in each for each in told)
