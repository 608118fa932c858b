"""QR codes, as rows of modules and as text for a terminal.

``segno`` makes the code: pure Python, complete, and without dependencies.
"""

import segno

_QUIET = 2
_BLACK_AND_WHITE = "\x1b[40;97m"
_PLAIN = "\x1b[0m"
# By whether the upper and the lower module are dark; what is light is drawn.
_HALVES = {"00": "█", "01": "▀", "10": "▄", "11": " "}


def qr_rows(text: str) -> list[str]:
    """Encode a text.

    Returns:
        A square of modules, row by row, ``1`` for dark, without the margin that it needs.
    """
    code = segno.make_qr(text, error="m")
    return ["".join("1" if module else "0" for module in row) for row in code.matrix]


def width_of(rows: list[str]) -> int:
    """How many columns of a terminal a code takes when it is drawn."""
    return len(rows) + 2 * _QUIET


def drawn(rows: list[str]) -> str:
    """A code as lines for a terminal of either colour, two modules to a character's height."""
    width = width_of(rows)
    edge = ["0" * width] * _QUIET
    margin = "0" * _QUIET
    padded = [*edge, *(f"{margin}{row}{margin}" for row in rows), *edge]
    if len(padded) % 2:
        padded.append("0" * width)
    lines = (
        "".join(_HALVES[upper + lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(padded[::2], padded[1::2], strict=True)
    )
    return "\n".join(f"{_BLACK_AND_WHITE}{line}{_PLAIN}" for line in lines)
