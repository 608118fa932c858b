import pytest
from supervised import all_of, failure
from written_orders import a_report, an_order

from stemset.errors import Cancelled, ComputingCrashed
from stemset.orders._attempt import Attempt

pytestmark = pytest.mark.anyio


async def test_end_after_the_end_is_not_told():
    attempt = Attempt(an_order())

    attempt.end(Cancelled("By the band."))
    attempt.end(ComputingCrashed("It crashed."))
    attempt.hear(a_report(7, "complete"))

    (last,) = await all_of(attempt.follow())
    assert failure(last) == ("cancelled", "By the band.")


async def test_hear_last_report_with_a_number_of_before_is_numbered_on():
    attempt = Attempt(an_order())
    attempt.hear(a_report(3, "accepted"))

    attempt.hear(a_report(2))
    attempt.hear(a_report(1, "complete"))

    assert [report.seq for report in await all_of(attempt.follow())] == [3, 4]


async def test_follow_slow_listener_is_told_the_latest_and_never_misses_a_question():
    attempt = Attempt(an_order())
    attempt.hear(a_report(0, "accepted"))
    for number in range(1, 1000):
        wanted = [{"method": "GET"}] if number == 500 else []
        attempt.hear(a_report(number, progress=number / 1000, wanted=wanted))

    told = attempt.follow()

    assert [(await anext(told)).seq for _ in range(3)] == [0, 500, 999]


async def test_hear_report_that_says_less_than_before_keeps_the_progress():
    attempt = Attempt(an_order())
    attempt.hear(a_report(1, progress=0.5, wanted=[{"method": "GET"}]))
    attempt.hear(a_report(2, wanted=[{"method": "GET"}]))
    attempt.end(Cancelled("By the band."))

    assert {report.progress for report in await all_of(attempt.follow())} == {0.5}
