"""How often a token may call."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_client import RunningService, running_service

from stemset.api._rates import BURST_S, Rates
from stemset.errors import RateLimited
from stemset.jobs.caller import Scope

PER_S = 2
AT_ONCE = round(PER_S * BURST_S)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> Rates:
    return Rates(PER_S, clock)


@pytest.fixture
def limited(tmp_path: Path, database_conninfo: str) -> Iterator[RunningService]:
    environ = {"STEMSET_CALLS_PER_S": str(PER_S)}
    with running_service(tmp_path, database_conninfo, is_open=False, environ=environ) as service:
        yield service


def taken(rates: Rates, calls: int, caller: str = "one") -> int:
    """How many of so many calls are taken."""
    count = 0
    for _ in range(calls):
        try:
            rates.take(caller)
        except RateLimited:
            continue
        count += 1
    return count


def test_calls_of_ten_seconds_are_taken_at_once_and_then_only_as_fast(
    rates: Rates, clock: Clock
) -> None:
    assert taken(rates, 100) == AT_ONCE
    clock.now_s += 3
    assert taken(rates, 100) == 3 * PER_S
    clock.now_s += 1000
    assert taken(rates, 100) == AT_ONCE


def test_caller_is_told_how_long_to_wait_and_is_taken_then(rates: Rates, clock: Clock) -> None:
    taken(rates, AT_ONCE)

    with pytest.raises(RateLimited, match="2 calls a second") as refused:
        rates.take("one")

    assert refused.value.after_s == pytest.approx(0.5)
    clock.now_s += refused.value.after_s
    assert taken(rates, 1) == 1


def test_one_callers_calls_are_not_anothers(rates: Rates) -> None:
    taken(rates, 100)

    assert taken(rates, 100, "another") == AT_ONCE


def test_callers_that_come_and_go_leave_nothing_behind(rates: Rates, clock: Clock) -> None:
    taken(rates, 100, "busy")
    for number in range(10_000):
        clock.now_s += 0.0005
        rates.take(f"caller {number}")

    assert len(rates._buckets) < 5_000
    assert taken(rates, AT_ONCE, "busy") < AT_ONCE


def test_token_that_calls_too_often_is_refused_and_others_are_not(limited: RunningService) -> None:
    with (
        limited.caller(limited.make_token(Scope.READ)) as hasty,
        limited.caller(limited.make_token(Scope.READ, name="other")) as other,
    ):
        answers = [hasty.get("/api/jobs") for _ in range(2 * AT_ONCE)]
        refused = [answer for answer in answers if answer.status_code != 200]

        assert len(answers) - len(refused) >= AT_ONCE
        assert {answer.status_code for answer in refused} == {429}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert refused[0].json()["error"]["code"] == "rate_limited"
        assert refused[0].json()["error"]["retryable"] is True
        assert other.get("/api/jobs").status_code == 200


def test_local_user_may_call_as_often_as_he_likes(tmp_path: Path, database_conninfo: str) -> None:
    environ = {"STEMSET_CALLS_PER_S": str(PER_S)}
    with running_service(tmp_path, database_conninfo, environ=environ) as service:
        statuses = {service.client.get("/api/profiles").status_code for _ in range(3 * AT_ONCE)}

    assert statuses == {200}
