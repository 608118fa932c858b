"""The decoder process: ``python -m stemset.audio.decoder_process LIMITS [HERE]``.

Enters: a recording's open file descriptor as standard input, DecodeLimits as JSON; what of the file
is here, if not all. Leaves, on
standard output, in the manner of ``_decoder_wire``: the recording's format, then its samples as
FFmpeg decodes them. FFmpeg never learns a file's name, and before it reads the first byte this
process has given up the right to open a file, to write one, to grow without limit, and to ask the
kernel for anything but memory and time (``_system_calls``).

It loads PyAV and little more, because its start is part of the time to the first stem byte.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from av.audio.frame import AudioFrame

from stemset.audio._decoder_wire import (
    BLOCK_FRAMES,
    BLOCK_HEAD,
    SAMPLE_BYTES,
    DecodeLimits,
    format_to_json,
)
from stemset.audio._recording import Recording
from stemset.audio._system_calls import allow_little
from stemset.errors import DecoderFailed, InputUnreadable, StemsetError
from stemset.lifeline import end_with_reader

STANDARD_ARGUMENTS = 2
STANDARD_DESCRIPTORS = 3
WHOLE_BYTES = 4096
"""Whoever asks for a header gets so much of it or nothing; FFmpeg asks again for more."""


def main() -> int:
    """Decode standard input to standard output, and return the exit status."""
    limits = DecodeLimits(**json.loads(sys.argv[1]))
    here = json.loads(sys.argv[2]) if len(sys.argv) > STANDARD_ARGUMENTS else None
    end_with_reader()
    _confine(limits)
    report = _Report()
    try:
        _decode(limits, _Source(here), report)
    except StemsetError as error:
        report.fail(error)
    except MemoryError:
        mib = limits.max_memory_bytes >> 20
        report.fail(DecoderFailed(f"takes more than the allowed {mib} MiB of memory to decode"))
    return 0


def _confine(limits: DecodeLimits) -> None:
    """Give up everything that decoding an open file does not need."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CPU, limits.max_cpu_s, grace=5)  # at the hard limit the signal is KILL
    if sys.platform == "linux":  # macOS does not limit the address space
        held_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        held_bytes = held_pages * resource.getpagesize()
        _lower(resource.RLIMIT_AS, held_bytes + limits.max_memory_bytes)
    _lower(resource.RLIMIT_NOFILE, STANDARD_DESCRIPTORS)
    allow_little()  # last, since nothing of the above may be asked for afterwards


def _lower(limit: int, value: int, *, grace: int = 0) -> None:
    """Set a limit for good, to no more than it already is."""
    _, hard = resource.getrlimit(limit)
    most = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
    resource.setrlimit(limit, (min(value, most), most))


def _decode(limits: DecodeLimits, source: "_Source", report: "_Report") -> None:
    """Send the format, all blocks and the closing line."""
    recording = _open(source, limits)
    if recording is None or source.lacks is not None:
        report.lack(source.lacks or 0)
        return
    report.begin(recording)
    for frame in recording:
        report.add(frame)
    if source.failure is not None:  # FFmpeg takes a failed read for the end of the file
        raise source.failure
    report.end(recording)


def _open(source: "_Source", limits: DecodeLimits) -> Recording | None:
    """Open the recording; None if it could not be for want of bytes that are not here."""
    try:
        return Recording(source, limits)
    except (StemsetError, MemoryError):
        if source.lacks is None:
            raise
        return None


class _Source:
    """Standard input as a file object without a name.

    Attributes:
        failure: What went wrong when it was read.
        lacks: The first position that was to be read and is not here. The file ends there for
            whoever reads on; what that makes of it counts for nothing.
    """

    def __init__(self, here: Sequence[Sequence[int]] | None) -> None:
        self.failure: InputUnreadable | None = None
        self.lacks: int | None = None
        self._here = here

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""
        try:
            return os.read(sys.stdin.fileno(), size if self._here is None else self._readable(size))
        except OSError as error:
            self.failure = InputUnreadable(f"cannot be read: {error.strerror}")
            raise self.failure from error

    def seek(self, offset: int, whence: int, /) -> int:
        """Move, and return the position; -1 if there is no such position."""
        try:
            return os.lseek(sys.stdin.fileno(), offset, whence)
        except OSError:
            return -1

    def tell(self) -> int:
        """Return the position."""
        return self.seek(0, os.SEEK_CUR)

    def _readable(self, size: int) -> int:
        """Return how much of what is to be read is here, and note if that is nothing."""
        position = self.tell()
        left = max(self.seek(0, os.SEEK_END) - self.seek(position, os.SEEK_SET), 0)
        ends = (end for begin, end in self._here or () if begin <= position < end)
        here = next(ends, position) - position
        if self.lacks is None and here < min(size, left, WHOLE_BYTES):
            self.lacks = position + here
        return 0 if self.lacks is not None else min(size, here)


class _Report:
    """Standard output, in the manner of ``_decoder_wire``."""

    def __init__(self) -> None:
        self._out = sys.stdout.buffer
        self._begun = False
        self._sample_bytes = 0
        self._planes: list[list[memoryview]] = []
        self._gathered = 0

    def begin(self, recording: Recording) -> None:
        """Send the format; all frames must be made of the same samples."""
        channels = len(recording.format.channels)
        self._planes = [[] for _ in range(channels if recording.planar else 1)]
        self._sample_bytes = SAMPLE_BYTES[recording.sample] * channels // len(self._planes)
        self._say(
            format=format_to_json(recording.format),
            sample=recording.sample,
            planar=recording.planar,
        )
        self._begun = True

    def add(self, frame: AudioFrame) -> None:
        """Take a frame in, and send every block that is full."""
        # Of 8 planes, PyAV 18 names 9: it looks for an end that FFmpeg does not mark.
        views = [memoryview(plane) for plane in frame.planes[: len(self._planes)]]
        start = 0
        while start < frame.samples:
            stop = min(frame.samples, start + BLOCK_FRAMES - self._gathered)
            for plane, view in zip(self._planes, views, strict=True):
                plane.append(view[start * self._sample_bytes : stop * self._sample_bytes])
            self._gathered += stop - start
            start = stop
            if self._gathered == BLOCK_FRAMES:
                self._send_block()

    def end(self, recording: Recording) -> None:
        """Send the rest and the closing line."""
        if self._gathered:
            self._send_block()
        self._out.write(BLOCK_HEAD.pack(0))
        self._say(
            frames=recording.frames,
            warnings=recording.warnings,
            cpu_s=round(time.process_time(), 3),
        )

    def lack(self, position: int) -> None:
        """Send where bytes are missing, instead of all."""
        self._say(lacks=position)

    def fail(self, error: StemsetError) -> None:
        """Send what went wrong instead of what is missing."""
        if self._begun:
            self._out.write(BLOCK_HEAD.pack(0))
        self._say(error={"code": error.code, "detail": str(error)})

    def _send_block(self) -> None:
        """Send the gathered frames, plane after plane."""
        self._out.write(BLOCK_HEAD.pack(self._gathered))
        for plane in self._planes:
            self._out.write(b"".join(plane))
            plane.clear()
        self._out.flush()
        self._gathered = 0

    def _say(self, **message: Any) -> None:
        self._out.write(json.dumps(message).encode() + b"\n")
        self._out.flush()


if __name__ == "__main__":
    sys.exit(main())
