"""What the header of a WAV file promises, read before FFmpeg sees the file.

FFmpeg forgets a promise that the file does not keep: to it a cut WAV is just a shorter one. Enters:
an open file that may be WAV (RIFF, RIFX, RF64, BW64) or Wave64. Leaves: its channels, rate and
frame count as written, and what the file holds of it.

Sources: IBM and Microsoft, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64); VCS, Wave64 file format.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class SeekableFile(Protocol):
    """The two calls that reading a header needs."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...

    def seek(self, offset: int, whence: int, /) -> int:
        """Move, and return the position."""
        ...


@dataclass(frozen=True, slots=True)
class WavPromise:
    """What a WAV header says.

    Attributes:
        channels: Number of channels.
        rate_hz: Sample rate.
        frames: Frames that the header promises; None if it does not say, or if the codec has no
            fixed size per frame.
        frames_present: Frames of them that the file has bytes for.
        frames_beyond: Frames' worth of bytes behind the end that the header names.
        unfinished: Whether the sizes are those of a recorder that never got to write them.
    """

    channels: int
    rate_hz: int
    frames: int | None
    frames_present: int
    frames_beyond: int
    unfinished: bool


def read_promise(file: SeekableFile) -> WavPromise | None:
    """Return what a WAV header says, or None if this is no WAV file with a format and data.

    Args:
        file: An open file; it is left at its start.
    """
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0, os.SEEK_SET)
    try:
        return _read(file, file_bytes)
    except struct.error:
        return None
    finally:
        file.seek(0, os.SEEK_SET)


class _Chunk(NamedTuple):
    name: bytes
    start: int
    size: int


class _Format(NamedTuple):
    """The first fields of a ``fmt`` chunk."""

    tag: int
    channels: int
    rate_hz: int
    bytes_per_s: int
    block_bytes: int
    bits: int


_BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">", b"riff": "<"}
_FIXED_SIZE_TAGS = (0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE)  # PCM, float, A-law, µ-law, extensible
_MAX_CHUNKS = 4096


def _read(file: SeekableFile, file_bytes: int) -> WavPromise | None:
    """Find the chunks that matter, the outer one included, and compare them with the file."""
    order, end, form, data_bytes_64 = "<", 0, None, None
    for chunk in _chunks(file, file_bytes):
        if chunk.name in _BYTE_ORDERS:
            end, order = chunk.start + chunk.size, _BYTE_ORDERS[chunk.name]
        elif chunk.name == b"ds64":
            riff_bytes_64, data_bytes_64 = struct.unpack("<QQ", file.read(16))
            end = riff_bytes_64 + 8
        elif chunk.name == b"fmt ":
            form = _Format(*struct.unpack(order + "HHIIHH", file.read(16)))
        elif chunk.name == b"data" and form is not None:
            size = chunk.size if data_bytes_64 is None else data_bytes_64
            return _compare(form, chunk._replace(size=size), end, file_bytes)
    return None


def _chunks(file: SeekableFile, file_bytes: int) -> Iterator[_Chunk]:
    """Yield the outer chunk, then those inside; the file stands at the start of each content."""
    magic = file.read(4)
    file.seek(0, os.SEEK_SET)
    if magic not in _BYTE_ORDERS:
        return
    wide = magic == b"riff"  # Wave64: 16-byte names, 8-byte sizes that count their own head
    head = struct.Struct("<4s12xQ" if wide else _BYTE_ORDERS[magic] + "4sI")
    own_bytes, align, position = (head.size, 8, 0) if wide else (0, 2, 0)
    for index in range(_MAX_CHUNKS):
        if position >= file_bytes:
            return
        file.seek(position, os.SEEK_SET)
        name, size = head.unpack(file.read(head.size))
        chunk = _Chunk(name, position + head.size, max(size - own_bytes, 0))
        yield chunk
        if index == 0:
            position = chunk.start + (16 if wide else 4)  # behind the word WAVE
        else:
            position = chunk.start + chunk.size + -chunk.size % align


def _compare(form: _Format, data: _Chunk, end: int, file_bytes: int) -> WavPromise:
    """Hold the data chunk's size against the file's."""
    frame_bytes = form.channels * ((form.bits + 7) // 8)
    present = file_bytes - data.start
    beyond = file_bytes - max(end, data.start + data.size)
    unfinished = _is_unfinished(data.size, present) and not _is_empty(data.size, end, file_bytes)
    known = form.tag in _FIXED_SIZE_TAGS and frame_bytes > 0 and not unfinished
    return WavPromise(
        channels=form.channels,
        rate_hz=form.rate_hz,
        frames=data.size // frame_bytes if known else None,
        frames_present=min(data.size, present) // frame_bytes if known else 0,
        frames_beyond=max(beyond, 0) // frame_bytes if known else 0,
        unfinished=unfinished,
    )


def _is_unfinished(size: int, present: int) -> bool:
    """Whether a size stands for "not known yet": 0, or just below 2 or 4 GiB.

    SoX writes 0x7FFFF000 to a pipe, FFmpeg 0xFFFFFFFF; recorders write 0.
    """
    near_limit = any(limit - 0x10000 <= size <= limit for limit in (2**31, 2**32))
    return size == 0 or (size > present and near_limit)


def _is_empty(size: int, end: int, file_bytes: int) -> bool:
    """Whether a size of 0 is the truth: the outer chunk ends where the file does."""
    return size == 0 and abs(end - file_bytes) <= 1
