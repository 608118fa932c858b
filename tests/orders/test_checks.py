"""What a worker is asked about itself: read only if it is that, and nothing else that is signed."""

import json
from typing import Any

import pytest
from written_orders import a_report, an_order

from stemset.errors import InvalidOrder, UnsupportedVersion
from stemset.orders.checks import (
    Check,
    Checked,
    Inspect,
    Inspected,
    is_inspect,
    is_inspected,
    parse_check,
    parse_checked,
    parse_inspect,
    parse_inspected,
)
from stemset.orders.messages import Failure, Links

QUESTION = Check(kind="check", models=("spleeter-2stems",), backend_url="https://band.example")


def question(**changes: Any) -> bytes:
    return json.dumps({**json.loads(QUESTION.line()), **changes}).encode()


def test_check_read_back_is_the_one_that_was_sent():
    assert parse_check(QUESTION.line()) == QUESTION
    assert parse_check(question(mood="blue")) == QUESTION


@pytest.mark.parametrize(
    "message",
    [
        an_order().line(),
        a_report(0, "complete").line(),
        Links(job_id="job", attempt=1, urls=()).line(),
        b'{"version":1}',
        b"{}",
        b"[]",
        b"",
        b"\xff",
        question(kind="separate"),
        question(models="spleeter-2stems"),
        question(models=["x"] * 65),
        question(models=["x" * 129]),
        question(models=[1]),
        question(backend_url="x" * 2049),
        question(backend_url=["https://band.example"]),
    ],
)
def test_what_is_signed_for_something_else_or_too_long_is_no_check(message: bytes):
    with pytest.raises(InvalidOrder):
        parse_check(message)


def test_check_of_a_higher_version_is_refused_by_name():
    with pytest.raises(UnsupportedVersion, match="this is version 1"):
        parse_check(question(version=2))


def test_question_to_the_computing_process_is_told_from_an_order():
    asked = Inspect(seq=3, models=("spleeter-2stems",))
    order = an_order().model_copy(update={"strategy": {"kind": "inspect"}})

    assert is_inspect(asked.line())
    assert parse_inspect(asked.line()) == asked
    assert not is_inspect(order.line())


def test_answer_of_the_computing_process_is_told_from_a_report():
    failure = Failure(code="x", detail='{"version":1,"kind":"inspected"', retryable=False)
    answer = Inspected(seq=3, device="cpu", models_error=failure)
    report = a_report(0, "error", error=failure.model_dump())

    assert is_inspected(answer.line())
    assert parse_inspected(answer.line()) == answer
    assert not is_inspected(report.line())


def test_answer_of_a_later_version_with_a_new_ending_is_read():
    told = parse_checked(b'{"version":1,"kind":"checked","called":{"end":"by_pigeon","wings":2}}')

    assert told.called
    assert told.called.end == "by_pigeon"
    assert parse_checked(Checked().line()) == Checked()
