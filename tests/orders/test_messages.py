import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_of import order_of

from stemset.errors import (
    InvalidOrder,
    NoSpace,
    StemsetError,
    UnsupportedVersion,
    WorkerFailed,
    error_from,
)
from stemset.orders.messages import MAX_MESSAGE_BYTES, Failure, Order, parse_order, parse_report


@pytest.fixture
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    recording = tmp_path_factory.mktemp("in") / "take.wav"
    recording.write_bytes(b"samples")
    return order_of(recording)


def changed(order: Order, **facts: Any) -> bytes:
    return json.dumps({**json.loads(order.line()), **facts}).encode()


def test_order_read_back_is_the_one_that_was_sent(order: Order) -> None:
    assert parse_order(order.line()) == order


def test_order_with_fields_of_a_later_minor_version_is_read(order: Order) -> None:
    assert parse_order(changed(order, mood="blue")) == order


@pytest.mark.parametrize("version", [2, 99, "2"])
def test_order_of_a_higher_version_is_refused_by_name(order: Order, version: object) -> None:
    with pytest.raises(UnsupportedVersion, match="this is version 1"):
        parse_order(changed(order, version=version))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job_id", "../x"),
        ("job_id", ""),
        ("attempt", 0),
        ("kind", "delete"),
        ("fingerprint", "F" * 64),
        ("deadline", "2026-01-01T00:00:00"),
        ("input", {"key": "x"}),
        ("output", {"prefix": "x", "format": "exe"}),
    ],
)
def test_order_that_does_not_say_what_it_must_names_the_field(
    order: Order, field: str, value: object
) -> None:
    with pytest.raises(InvalidOrder, match=field):
        parse_order(changed(order, **{field: value}))


def test_order_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(InvalidOrder, match=str(MAX_MESSAGE_BYTES)):
        parse_order(b"{" * (MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=200))
def test_parsers_refuse_any_bytes_with_our_own_errors(data: bytes) -> None:
    for parse in (parse_order, parse_report):
        with pytest.raises((InvalidOrder, UnsupportedVersion)):
            parse(data)


def test_failure_comes_out_as_the_error_that_went_in() -> None:
    error = Failure.of(NoSpace("The disk is full.")).error()

    assert type(error) is NoSpace
    assert str(error) == "The disk is full."


def test_error_with_a_code_of_a_later_version_is_still_told() -> None:
    error: StemsetError = error_from("gpu_melted", "The GPU has melted.")

    assert isinstance(error, WorkerFailed)
    assert str(error) == "The GPU has melted. [gpu_melted]"
