"""File names as people see them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemset.jobs.filenames import MAX_CHARACTERS, shown_name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("take.wav", "take.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\take.wav", "take.wav"),
        ("folder/take.wav/", "take.wav"),
        ("a\0b.wav", "a b.wav"),
        ("a\r\nb.wav", "a  b.wav"),
        ("a%22b.wav", 'a"b.wav'),
        ("a%0D%0Ab.wav", "a  b.wav"),
        ("100%25.wav", "100%25.wav"),
        ("%2e%2e", "%2e%2e"),
        ("..", "recording"),
        (".", "recording"),
        ("", "recording"),
        ("/", "recording"),
        ("\u202egnp.wav", "gnp.wav"),
        ("прик 練習 🎸.wav", "прик 練習 🎸.wav"),
        ("\U0001f468\u200d\U0001f3a4.wav", "\U0001f468\u200d\U0001f3a4.wav"),
        ("a  b.wav", "a  b.wav"),
        ("-rf.wav", "-rf.wav"),
        ("CON", "CON"),
        ("a\ud800.wav", "a .wav"),
        (unicodedata.normalize("NFD", "Übung.wav"), "Übung.wav"),
    ],
)
def test_name_is_shown_without_folders_and_controls(sent: str, shown: str):
    assert shown_name(sent) == shown


def test_name_that_is_long_is_cut_and_keeps_its_suffix():
    shown = shown_name("x" * 400 + ".flac")

    assert len(shown) == MAX_CHARACTERS
    assert shown.endswith("x.flac")


@given(st.text())
def test_name_of_any_text_is_fit_to_be_shown_and_stays_as_it_is(text: str):
    shown = shown_name(text)

    assert 0 < len(shown) <= MAX_CHARACTERS
    assert not set(shown) & set("/\\\0\r\n")
    assert shown not in {".", ".."}
    assert shown_name(shown) == shown
