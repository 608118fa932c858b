"""How long a worker takes to wake, and that one which is awake counts for nothing."""

from stemset.errors import WorkerUnreachable
from stemset.jobs.waking import Waking
from stemset.metrics import REGISTRY
from stemset.orders.messages import Report, Status
from stemset.orders.phase import Phase


def report(phase: Phase | None, seq: int = 0) -> Report:
    return Report(job_id="j", attempt=1, seq=seq, status=Status.PROGRESS, phase=phase)


WAITS = report(Phase.WAKING, -1)
WORKS = report(Phase.LOADING)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted() -> tuple[float, float]:
    """How many wakes there were, and what they took together."""
    return value("stemset_wake_seconds_count"), value("stemset_wake_seconds_sum")


def told(*course: tuple[float, Report]) -> tuple[float, float]:
    """What reports at certain seconds count for."""
    clock = Clock()
    before = counted()
    waking = Waking(clock)
    for at_s, each in course:
        clock.now_s = at_s
        waking.hear(each)
    count, sum_s = counted()
    return count - before[0], round(sum_s - before[1], 6)


def test_wake_lasts_from_the_order_to_the_first_sign_of_life():
    assert told((1, WAITS), (6, WAITS), (42, WORKS), (43, WORKS)) == (1, 42)


def test_worker_that_is_awake_is_not_woken():
    assert told((0.1, WORKS), (9, WORKS)) == (0, 0)


def test_worker_that_goes_away_in_the_middle_is_waited_for_anew():
    assert told((1, WORKS), (100, WAITS), (105, WAITS), (107, WORKS)) == (1, 7)


def test_worker_that_never_comes_is_a_failure_and_no_wake():
    name = "stemset_wakes_failed_total"
    failed = value(name, code="worker_unreachable")
    before = counted()
    waking = Waking()
    waking.hear(WAITS)

    waking.give_up(WorkerUnreachable("Nobody answers."))

    assert value(name, code="worker_unreachable") == failed + 1
    assert counted() == before
