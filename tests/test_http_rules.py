"""What everything that speaks HTTP agrees on."""

import httpx
import pytest

from stemset.http_rules import advised_pause_s, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known_by_name_and_address(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example", "[::1]"],  # noqa: S104 - looked at, not bound
)
def test_other_hosts_are_not_loopback(host: str):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("said", "pause_s"),
    [("7", 7), ("3600", 60), ("Tue, 03 Feb 2026 10:00:00 GMT", 0), ("-1", 0), ("", 0)],
)
def test_advised_pause_is_within_reason(said: str, pause_s: float):
    assert advised_pause_s(httpx.Headers({"retry-after": said}), at_most_s=60) == pause_s


def test_answer_that_advises_no_pause_asks_for_none():
    assert advised_pause_s(httpx.Headers(), at_most_s=60) == 0
