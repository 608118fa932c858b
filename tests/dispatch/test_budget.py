import pytest

from stemset.dispatch.budget import Budget, Limits
from stemset.errors import (
    AttemptUsed,
    ComputingCrashed,
    CorruptAudio,
    Interrupted,
    NetworkFailed,
    StemsetError,
)
from stemset.orders.messages import Failure

PAUSES_S = (1.0, 5.0)


def spend(budget: Budget, *errors: StemsetError) -> Budget:
    for error in errors:
        budget = budget.after(Failure.of(error))
    return budget


def counts(budget: Budget) -> tuple[int, int, int]:
    return budget.failed, budget.interrupted, budget.passed_over


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ComputingCrashed("1"), (1, 0, 0)),
        (NetworkFailed("1"), (1, 0, 0)),
        (Interrupted("1"), (0, 1, 0)),
        (AttemptUsed("1"), (0, 0, 1)),
        (CorruptAudio("1"), (0, 0, 0)),
    ],
)
def test_failure_counts_as_what_it_is(error: StemsetError, counted: tuple[int, int, int]) -> None:
    assert counts(spend(Budget(), error)) == counted


def test_budget_that_nothing_was_taken_from_lets_an_attempt_follow_at_once() -> None:
    assert Budget(2, 19, 99).verdict is None
    assert Budget(2, 19, 99).pause_s(PAUSES_S) == 0


@pytest.mark.parametrize(
    ("errors", "pause_s"),
    [
        ([ComputingCrashed("1")], 1.0),
        ([ComputingCrashed("1"), NetworkFailed("2")], 5.0),
        ([ComputingCrashed("1"), Interrupted("2")], 1.0),
        ([ComputingCrashed("1"), ComputingCrashed("2"), Interrupted("3")], 1.0),
        ([AttemptUsed("1")], 0.0),
        ([Interrupted("1"), ComputingCrashed("2")], 1.0),
    ],
)
def test_pause_follows_the_last_failure(errors: list[StemsetError], pause_s: float) -> None:
    spent = spend(Budget(), *errors)

    assert spent.verdict is None
    assert spent.pause_s(PAUSES_S) == pause_s


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(ComputingCrashed("no"), 3), (Interrupted("no"), 20), (AttemptUsed("no"), 100)],
)
def test_budget_ends_with_the_last_attempt_that_it_has(error: StemsetError, attempts: int) -> None:
    before = spend(Budget(), *[error] * (attempts - 1))
    after = spend(before, error)

    assert before.verdict is None
    assert type(after.verdict) is type(error)
    assert str(after.verdict) == "no"


def test_failure_for_good_ends_at_once() -> None:
    assert isinstance(spend(Budget(), CorruptAudio("no cable")).verdict, CorruptAudio)


def test_budget_goes_on_from_counts_that_were_kept() -> None:
    kept = Budget(failed=1, limits=Limits(failed=3))

    assert spend(kept, ComputingCrashed("2")).verdict is None
    assert spend(kept, ComputingCrashed("2"), ComputingCrashed("3")).verdict is not None


def test_limits_of_a_service_are_its_own() -> None:
    budget = Budget(limits=Limits(failed=9, interrupted=1, passed_over=1))

    assert spend(budget, *[ComputingCrashed("no")] * 8).verdict is None
    assert spend(budget, Interrupted("no")).verdict is not None
    assert spend(budget, AttemptUsed("no")).verdict is not None
