"""How an upload is divided into parts: equal ones, numbered from 1, the last may be shorter."""

import math
from collections.abc import Collection

from stemset.errors import UploadIncomplete, UploadMismatch
from stemset.jobs.uploads import Upload

MAX_PARTS = 10_000

_NAMED_AT_MOST = 20


def count_of(upload: Upload) -> int:
    """How many parts an upload has."""
    return math.ceil(upload.size_bytes / (upload.part_bytes or upload.size_bytes))


def offset_of(upload: Upload, part: int) -> int:
    """Where a part begins, in bytes."""
    return (part - 1) * (upload.part_bytes or 0)


def length_of(upload: Upload, part: int) -> int:
    """A part's length in bytes. Raises UploadMismatch if there is no such part."""
    parts = count_of(upload)
    if not 1 <= part <= parts:
        raise UploadMismatch(f"The upload has the parts 1 to {parts}; {part} is none of them.")
    return min(upload.part_bytes or upload.size_bytes, upload.size_bytes - offset_of(upload, part))


def check_all_there(upload: Upload, received: Collection[int]) -> None:
    """Refuse to end an upload too early. Raises UploadIncomplete, which names what is missing."""
    missing = [part for part in range(1, count_of(upload) + 1) if part not in received]
    if missing:
        named = ", ".join(map(str, missing[:_NAMED_AT_MOST]))
        more = len(missing) - _NAMED_AT_MOST
        rest = f" and {more} more" if more > 0 else ""
        raise UploadIncomplete(f"Of {count_of(upload)} parts these are missing: {named}{rest}.")
