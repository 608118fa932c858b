"""Cursors: where a page of a list ended, as an opaque text.

A page that begins after the last one's last row, and not after so many rows, costs the same however
long the list is, and neither repeats nor skips a row when others are added meanwhile.
"""

import base64
import json
import math
from dataclasses import dataclass
from datetime import datetime

from stemset.errors import InvalidCursor


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page.

    Attributes:
        order: What the list is sorted by, and in which direction; a cursor is good for no other.
        value: The row's value of it.
        id: The row's id, which orders rows of one value.
    """

    order: str
    value: str | float | datetime
    id: str

    def __str__(self) -> str:
        """The text that ``parse`` reads."""
        is_moment = isinstance(self.value, datetime)
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        text = json.dumps([self.order, is_moment, value, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse(text: str, order: str, kind: type[str | float | datetime]) -> Cursor:
    """Read a cursor.

    Args:
        text: What a page was answered with, or anything else.
        order: What it must be for.
        kind: What its value must be.

    Raises:
        InvalidCursor: It is none, or of a list that is sorted otherwise.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found, is_moment, value, row_id = json.loads(data)
        if is_moment:
            value = datetime.fromisoformat(value)
        _check(found == order and isinstance(value, kind) and isinstance(row_id, str))
        _check(not isinstance(value, float) or math.isfinite(value))
        _check(not isinstance(value, datetime) or value.tzinfo is not None)
        # What the database cannot take as text: a NUL, or half of a surrogate pair.
        _check("\0" not in f"{value}{row_id}".encode().decode())
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor(f"{text[:100]!r} is no cursor of a list by {order}.") from error
    return Cursor(order, value, row_id)


def _check(holds: bool) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise ValueError
