"""Amounts as people write them in ``config.yaml``: ``30d``, ``50GB``."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

FOR_EVER = "forever"

_AGE = re.compile(r"([0-9]{1,5})([hdwy])")
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([MGT])(i?)B")
_POWERS = {"M": 2, "G": 3, "T": 4}


def _age(written: Any) -> timedelta | None:
    if written == FOR_EVER:
        return None
    match = _AGE.fullmatch(written) if isinstance(written, str) else None
    if match is None or not int(match[1]):
        message = f"{written!r} is no age: write such as 12h, 30d, 2w, 1y (365 days), or forever"
        raise ValueError(message)
    return int(match[1]) * _UNITS[match[2]]


def _size(written: Any) -> int:
    match = _SIZE.fullmatch(written) if isinstance(written, str) else None
    if match is None or not float(match[1]):
        message = f"{written!r} is no size: write such as 500MB, 50GB, 1.5TB, or 40GiB"
        raise ValueError(message)
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[prefix])


Age = Annotated[timedelta | None, BeforeValidator(_age)]
"""How long something is kept, at least an hour; None for ever."""

Size = Annotated[int, BeforeValidator(_size)]
"""A number of bytes, from 1 on."""
