"""What is seen of an attempt's time: transfers, the end, and a worker that was lost on the way."""

from dataclasses import astuple

from stemset.dispatch.course import Course, Watch
from stemset.orders.messages import Report, Status
from stemset.orders.phase import Phase


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def seen(*reports: tuple[float, Phase | None] | tuple[float, Phase | None, Status]) -> Course:
    """What there is to see ten seconds later; reports come at seconds since the order."""
    clock = Clock()
    watch = Watch(clock)
    at_s = 0.0
    for at_s, phase, *status in reports:
        clock.now_s = 100.0 + at_s
        told = status[0] if status else Status.PROGRESS
        watch.hear(Report(job_id="j", attempt=1, seq=0, status=told, phase=phase))
    clock.now_s = 100.0 + at_s + 10
    return watch.course()


def test_transfers_are_the_times_of_fetching_and_storing():
    course = seen(
        (1, Phase.DOWNLOADING),
        (4, Phase.DOWNLOADING),
        (6, Phase.SEPARATING),
        (50, Phase.UPLOADING),
        (57, None, Status.COMPLETE),
    )

    assert course.transfer_s == 5 + 7


def test_worker_is_let_go_of_at_its_last_report():
    assert seen((5, Phase.SEPARATING)).let_go_s == 0
    assert seen((5, Phase.SEPARATING), (9, None, Status.ERROR)).let_go_s == 10


def test_worker_that_nobody_heard_of_is_awaited_since_the_order():
    assert astuple(seen((5, Phase.WAKING), (20, Phase.WAKING)))[2:] == (30, False, True)


def test_worker_that_was_woken_was_never_lost():
    assert astuple(seen((5, Phase.WAKING), (20, Phase.LOADING)))[2:] == (30, False, False)


def test_worker_that_goes_silent_is_asked_for_anew_at_the_first_sign_of_that():
    lost = [(5.0, Phase.SEPARATING), (40.0, Phase.WAKING), (45.0, Phase.WAKING)]

    assert astuple(seen(*lost))[2:] == (15, True, True)
    assert astuple(seen(*lost, (60.0, None)))[2:] == (30, True, False)
