"""What of JSON is taken: only what every parser reads alike, and the database can hold."""

import json
import math
import re
from typing import Any, NoReturn

_DEEPEST = 64
_LARGEST = 2**63 - 1  # PostgreSQL's bigint
_DIGITS = 19
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class NotJson(ValueError):
    """The text is no JSON, or none that is taken; the message says why."""


def check_json(text: bytes) -> None:
    """Refuse what is not UTF-8, nests too deep, names a key twice, or holds what cannot be kept.

    Args:
        text: A body.

    Raises:
        NotJson: It is not taken.
    """
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is no JSON at character {error.pos}: {error.msg}.") from error
    except RecursionError as error:
        raise NotJson(_TOO_DEEP) from error
    _check(value)


_TOO_DEEP = f"The body's JSON nests deeper than {_DEEPEST}."


def _check(value: Any) -> None:
    """Check depths and texts, without recursion."""
    left = [(value, 0)]
    while left:
        value, depth = left.pop()
        if depth > _DEEPEST:
            raise NotJson(_TOO_DEEP)
        if isinstance(value, str) and _UNFIT.search(value):
            raise NotJson("The body's JSON holds a text with a NUL or half a surrogate pair.")
        if isinstance(value, dict):
            left += ((each, depth + 1) for pair in value.items() for each in pair)
        elif isinstance(value, list):
            left += ((each, depth + 1) for each in value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJson("The body's JSON names a key twice.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"The body's JSON holds {name}, which is no number.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotJson("The body's JSON holds a number beyond a double's range.")
    return number


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS or abs(number := int(digits)) > _LARGEST:
        raise NotJson("The body's JSON holds an integer beyond 64 bits.")
    return number
