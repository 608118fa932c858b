"""Files in parts: how long a part is, and reading one block by block.

Source of the limits: S3 and R2, 5 MiB to 5 GiB a part and at most 10,000 parts; R2 in addition
wants all parts but the last to be of equal length.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from stemset.errors import InputUnreadable

MAX_PARTS = 10_000
MIN_PART_BYTES = 5 << 20
_MIB = 1 << 20


def part_bytes(length: int, at_least: int) -> int:
    """The length of all parts but the last: ``at_least``, or more if there were too many parts."""
    needed = math.ceil(length / MAX_PARTS / _MIB) * _MIB
    return max(at_least, needed, MIN_PART_BYTES)


def file_length(path: Path) -> int:
    """A file's length in bytes. Raises InputUnreadable."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def blocks(path: Path, size: int, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Read a file, or ``length`` bytes of it, in blocks of equal size (the last may be shorter).

    Raises:
        InputUnreadable: It cannot be read, or ends early.
    """
    left = file_length(path) - start if length is None else length
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left:
                block = file.read(min(size, left))
                if not block:
                    raise InputUnreadable(f"{path} became shorter while it was read.")
                left -= len(block)
                yield block
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputUnreadable:
    return InputUnreadable(f"{path} cannot be read: {error.strerror or error}.")
