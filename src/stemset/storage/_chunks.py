"""Objects in chunks: what a range is called, where a file is read, and that all of it came."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stemset.errors import ObjectCorrupt
from stemset.storage._obstore_errors import translated
from stemset.storage.calls import watched

if TYPE_CHECKING:  # this is a type only, and not there when the program runs
    from obstore import GetOptions

STREAM_BYTES = 256 << 10
"""Whoever streams has many readers at a time, so chunks are small."""


def asked_range(offset: int, length: int | None) -> "GetOptions":
    """A range as obstore wants it."""
    if length is not None:
        return {"range": (offset, offset + length)}
    return {"range": {"offset": offset}} if offset else {}


def file_chunks(path: Path, key: str, offset: int, length: int) -> Iterator[bytes]:
    """Read a file of a folder that is a store.

    obstore reads it in blocks of 8 KiB, each in a thread: 4.0 CPU-seconds for 1 GB, against 0.1
    to 2.4 (two cores, the file in the cache, and not).
    """
    with translated(key), path.open("rb", buffering=0) as file:
        file.seek(offset)
        while length and (chunk := file.read(min(STREAM_BYTES, length))):
            length -= len(chunk)
            yield chunk


def whole(chunks: Iterator[bytes], key: str, length: int) -> Iterator[bytes]:
    """Pass chunks on. Raises ObjectCorrupt at the end if they were not all there."""
    with watched("stream"):
        arrived = 0
        for chunk in filter(None, chunks):
            arrived += len(chunk)
            yield chunk
        if arrived != length:
            raise ObjectCorrupt(f"{key}: {arrived} bytes arrived, {length} were expected.")


def too_short(key: str, length: int, needed: int) -> ObjectCorrupt:
    """The error for a range that an object does not have."""
    return ObjectCorrupt(f"{key} has {length} bytes, fewer than {needed}.")
