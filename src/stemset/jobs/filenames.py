"""File names as people see them: any name that a client sends, made fit to be shown and found."""

import re
import unicodedata

MAX_CHARACTERS = 300
NAMELESS = "recording"

# They make "gnp.wav" of "vaw.png"; marks that join letters or emoji stay.
_TURN_THE_READING_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SEPARATORS = re.compile(r"[/\\]")
# How browsers write what would end the name in a form's header; no other character is escaped.
_ESCAPED_BY_BROWSERS = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def shown_name(name: str) -> str:
    """The last part of a path, without what cannot be printed, in one form of Unicode.

    The same name gives the same result however it came, in a form or as JSON, from a system that
    composes letters or one that does not.
    """
    for escaped, character in _ESCAPED_BY_BROWSERS.items():
        name = name.replace(escaped, character)
    last = _SEPARATORS.split(name.rstrip("/\\"))[-1]
    visible = "".join(each if _is_visible(each) else " " for each in last)
    plain = unicodedata.normalize("NFC", visible).strip()
    return _shortened(plain) if plain.strip(".") else NAMELESS


def _is_visible(character: str) -> bool:
    return (
        unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        and character not in _TURN_THE_READING_DIRECTION
    )


def _shortened(name: str) -> str:
    """Cut in the middle of the stem's end, so that the suffix stays."""
    if len(name) <= MAX_CHARACTERS:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 8:  # noqa: PLR2004 - no suffix of an audio file is longer
        return name[:MAX_CHARACTERS]
    return stem[: MAX_CHARACTERS - len(dot + suffix)].rstrip() + dot + suffix
