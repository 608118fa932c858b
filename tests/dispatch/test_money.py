"""Amounts of money in words."""

import pytest

from stemset.dispatch.cost import in_money


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "0.00 USD"),
        (6e-7, "0.0000006 USD"),
        (0.0000123, "0.000012 USD"),
        (0.0123, "0.012 USD"),
        (0.05, "0.05 USD"),
        (0.1, "0.10 USD"),
        (12.3456, "12.35 USD"),
        (1234.5, "1234.50 USD"),
    ],
)
def test_amount_is_written_out_with_as_many_digits_as_tell_something(
    amount: float, words: str
) -> None:
    assert in_money(amount, "USD") == words
