"""What a person at the terminal is told about the phones' door."""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime

from stemset.serving.lan.qr import drawn, qr_rows, width_of


def invitation(url: str, *, page: str, until: datetime, columns: int | None = None) -> str:
    """Words and a picture that bring a phone here.

    Args:
        url: What the phone is to open, with its code.
        page: Where the local user finds the service.
        until: When the code ends, in this machine's time.
        columns: How wide the terminal is, by default this one's width.
    """
    rows = qr_rows(url)
    shown = drawn(rows) if width_of(rows) <= _columns(columns) else None
    return "\n".join(_lines(url, shown, page, until))


def _lines(url: str, picture: str | None, page: str, until: datetime) -> Sequence[str]:
    how = "Point a phone's camera at this" if picture else "Open this on a phone"
    return (
        "",
        f"{how}, then press “Pair this phone”:",
        "",
        *([picture, ""] if picture else []),
        f"  {url}",
        "",
        f"It is good for one phone, until {until:%H:%M}. For another: “Phone” on {page}",
        "The phone warns once, since this machine made its certificate itself; go on.",
        "",
    )


def _columns(given: int | None) -> int:
    if given is not None:
        return given
    return 0 if os.environ.get("TERM") == "dumb" else shutil.get_terminal_size().columns
