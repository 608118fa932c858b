"""What a terminal shows: a code that is the one that was asked for, or words alone."""

import re
from datetime import UTC, datetime

import pytest

from stemset.serving.lan.qr import drawn, qr_rows, width_of
from stemset.serving.lan.terminal import invitation

URL = "https://192.168.100.100:8443/pair#0123456789abcdefghijkl"
UNTIL = datetime(2026, 11, 24, 22, 51, tzinfo=UTC)
FINDER = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]


def words(columns: int) -> str:
    return invitation(URL, page="http://127.0.0.1:8080", until=UNTIL, columns=columns)


def dark_modules(text: str) -> list[str]:
    """Read a drawn code back, as a camera would see it: what is not white is dark."""
    rows: list[str] = []
    for line in re.sub("\x1b" + r"\[[0-9;]*m", "", text).splitlines():
        rows.append("".join("0" if each in "█▀" else "1" for each in line))
        rows.append("".join("0" if each in "█▄" else "1" for each in line))
    return rows


def test_code_is_square_and_has_its_three_marks():
    rows = qr_rows(URL)

    assert {len(row) for row in rows} == {len(rows)}
    assert [row[:7] for row in rows[:7]] == FINDER
    assert [row[-7:] for row in rows[:7]] == FINDER
    assert [row[:7] for row in rows[-7:]] == FINDER


@pytest.mark.parametrize("url", [URL, "https://[fd00::5]:8443/pair#0123456789abcdefghijkl"])
def test_code_as_it_is_drawn_is_the_code_within_a_light_margin(url: str):
    rows = qr_rows(url)
    margin = (width_of(rows) - len(rows)) // 2

    shown = dark_modules(drawn(rows))

    inside = [row[margin:-margin] for row in shown[margin : margin + len(rows)]]
    assert inside == rows
    assert margin >= 2
    assert "1" not in "".join(shown[:margin])
    assert all("1" not in row[:margin] + row[-margin:] for row in shown)


def test_code_sets_its_own_colours_so_that_it_is_no_negative_on_a_light_terminal():
    lines = drawn(qr_rows(URL)).splitlines()

    assert all(line.startswith("\x1b[40;97m") and line.endswith("\x1b[0m") for line in lines)


def test_terminal_that_is_wide_enough_shows_the_code_and_the_address():
    shown = words(columns=80)

    assert drawn(qr_rows(URL)) in shown
    assert f"  {URL}\n" in shown
    assert "until 22:51" in shown
    assert "http://127.0.0.1:8080" in shown


def test_terminal_that_is_too_narrow_shows_the_address_alone():
    shown = words(columns=width_of(qr_rows(URL)) - 1)

    assert "█" not in shown
    assert "Open this on a phone" in shown
    assert URL in shown


def test_terminal_that_knows_no_colours_shows_the_address_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")

    shown = invitation(URL, page="http://127.0.0.1:8080", until=UNTIL)

    assert "\x1b" not in shown
    assert URL in shown
