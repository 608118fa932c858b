"""Decodes a recording, in a process of its own, into blocks of samples.

Enters: the path of a recording. Leaves: its format, then blocks of shape ``(channels, frames)``,
±1.0 full scale. Whatever the file's bytes do to FFmpeg, they do it in that process
(``decoder_process``), which holds the open file and knows no name. What it sends back is checked
like any other input.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from io import BufferedReader, FileIO
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from stemset.audio._decoder_wire import (
    BLOCK_FRAMES,
    BLOCK_HEAD,
    MAX_LINE_BYTES,
    DecodeLimits,
    format_from_json,
)
from stemset.audio.formats import Depth, RecordingFormat
from stemset.errors import (
    DecoderFailed,
    InputChanged,
    InputEmpty,
    InputError,
    InputNotFound,
    InputUnreadable,
    NonFiniteSamples,
)

__all__ = ["BLOCK_FRAMES", "DecodeLimits", "Decoder", "Samples", "probe"]

Samples = NDArray[np.float32] | NDArray[np.float64]


def probe(path: str | os.PathLike[str], limits: DecodeLimits | None = None) -> RecordingFormat:
    """Return what a recording is made of, from its header and its first frame.

    Args:
        path: A file.
        limits: What the recording may cost; the defaults if None.

    Raises:
        InputError: any of its leaves, as ``Decoder`` does.
    """
    with Decoder(path, limits) as decoder:
        return decoder.format


class Decoder:
    """A recording that is being decoded.

    Iterating it yields, once, blocks of shape ``(channels, BLOCK_FRAMES)``, the last one shorter:
    ``float64`` if the recording's depth is S32 or F64, else ``float32``.

    Attributes:
        format: What the recording is made of.
        frames: Frames yielded so far.
        warnings: What is odd about the recording, in words; complete at the end.
        cpu_s: CPU-seconds that the decoder process took; 0 until the end.
    """

    def __init__(self, path: str | os.PathLike[str], limits: DecodeLimits | None = None) -> None:
        """Open a recording and start its decoder.

        Args:
            path: A file.
            limits: What the recording may cost; the defaults if None.

        Raises:
            InputNotFound, InputUnreadable, InputEmpty: if there is no file with bytes to read.
            InputError: any other of its leaves, for what the file holds.
        """
        self.frames = 0
        self.cpu_s = 0.0
        with ExitStack() as resources:
            self._file = _InputFile(path)
            resources.callback(self._file.close)
            self._process = _Process(self._file.descriptor, limits or DecodeLimits())
            resources.callback(self._process.close)
            self.format, self._samples = self._read_format()
            self.warnings = list(self.format.warnings)
            self._resources = resources.pop_all()

    def __iter__(self) -> Iterator[Samples]:
        """Yield all blocks.

        Raises:
            InputChanged: if the file is not what it was when it was opened.
            NonFiniteSamples: if a sample is NaN or infinite.
            TruncatedAudio, CorruptAudio, RecordingTooLong: as it turns out while decoding.
            DecoderFailed: if the decoder process is ended, by whomever, ``close`` included.
        """
        buffer = bytearray(self._samples.size(BLOCK_FRAMES))
        try:
            while frames := self._read_frame_count():
                view = memoryview(buffer)[: self._samples.size(frames)]
                self._fill(view)
                block = self._samples.to_block(view)
                self._refuse_non_finite(block)
                self.frames += frames
                yield block
            self._read_end()
        finally:
            self.close()

    def close(self) -> None:
        """End the decoder process, within a second; any thread may do it, at any time."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read_format(self) -> tuple[RecordingFormat, "_WireSamples"]:
        """Read the first line."""
        head = self._read_message()
        try:
            recording = format_from_json(head["format"])
            return recording, _WireSamples.of(recording, head["sample"], planar=head["planar"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(DecoderFailed, _FAILED + "sent an unknown format") from error

    def _read_frame_count(self) -> int:
        """Read the head of a block."""
        head = bytearray(BLOCK_HEAD.size)
        self._fill(memoryview(head))
        (frames,) = BLOCK_HEAD.unpack(head)
        if frames > BLOCK_FRAMES:
            raise self._error(DecoderFailed, _FAILED + f"sent a block of {frames:,} frames")
        return frames

    def _read_end(self) -> None:
        """Read the closing line."""
        end = self._read_message()
        if end.get("frames") != self.frames:
            raise self._error(DecoderFailed, _FAILED + f"sent only {self.frames:,} frames")
        if self._file.has_changed():
            raise self._error(InputChanged, "")
        try:
            self.warnings = [str(warning) for warning in end["warnings"]]
            self.cpu_s = float(end["cpu_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(DecoderFailed, _FAILED + "sent an unknown ending") from error

    def _read_message(self) -> dict[str, Any]:
        """Read a line, and raise the error that it holds."""
        line = self._process.read_line()
        if not line:
            raise self._error(DecoderFailed, self._process.fate())
        try:
            message: dict[str, Any] = json.loads(line)
            if "error" not in message:
                return message
            kind, detail = _ERRORS[message["error"]["code"]], str(message["error"]["detail"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(DecoderFailed, _FAILED + "sent an unknown message") from error
        raise self._error(kind, detail)

    def _fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as ``view`` has."""
        if not self._process.fill(view):
            raise self._error(DecoderFailed, self._process.fate())

    def _refuse_non_finite(self, block: Samples) -> None:
        if self._samples.is_float and not np.isfinite(block).all():
            frame = self.frames + int(np.argmin(np.isfinite(block).all(axis=0)))
            at_s = frame / self.format.rate_hz
            raise self._error(
                NonFiniteSamples,
                f"holds a sample that is not finite: frame {frame:,}, at {at_s:.3f} s",
            )

    def _error(self, kind: type[InputError], detail: str) -> InputError:
        """Return an error about this file; that it changed explains any other."""
        if self._file.has_changed():
            kind, detail = InputChanged, "changed while it was read"
        return kind(f"{self._file.name} {detail}.")


_ERRORS = {kind.code: kind for kind in InputError.__subclasses__()}


class _InputFile:
    """A regular file, open for reading.

    Attributes:
        name: The path, with everything that is not printable escaped.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = _printable(os.fsdecode(path))
        self._file = _open_regular(path, self.name)
        self._opened = os.fstat(self._file.fileno())
        if self._opened.st_size == 0:
            self._file.close()
            raise InputEmpty(f"{self.name} is empty.")

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.fileno()

    def has_changed(self) -> bool:
        """Whether somebody wrote to the file since it was opened; it may have been deleted."""
        if self._file.closed:
            return False
        now = os.fstat(self._file.fileno())
        before = self._opened
        return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open_regular(path: str | os.PathLike[str], name: str) -> FileIO:
    """Open a file without ever waiting for it, as a FIFO or a device would make one do.

    Raises:
        InputNotFound: if there is nothing at the path.
        InputUnreadable: if it is no regular file, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputNotFound(f"{name} does not exist.") from error
    except OSError as error:
        raise InputUnreadable(f"{name} cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputUnreadable(f"{name} is not a regular file.")
    return FileIO(descriptor)


def _printable(name: str) -> str:
    """Return a name that can be printed: a file's name may hold newlines and half characters."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(escaped)


class _Process:
    """The decoder process, from outside."""

    def __init__(self, descriptor: int, limits: DecodeLimits) -> None:
        """Start it on an open file.

        Raises:
            DecoderFailed: if it cannot be started.
        """
        self._limits = limits
        self._closed = False
        try:
            # Its working directory is empty, and removed as soon as the process stands in it.
            with tempfile.TemporaryDirectory(prefix="stemset-decoder-") as folder:
                self._process = subprocess.Popen(  # noqa: S603  our own program, without a shell
                    [sys.executable, "-I", "-m", _PROGRAM, json.dumps(asdict(limits))],
                    stdin=descriptor,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                    process_group=0,  # Ctrl-C is the parent's to handle
                )
        except OSError as error:
            raise DecoderFailed(f"The decoder process cannot be started: {error}.") from error
        self._output = cast("BufferedReader", self._process.stdout)
        self._complaints = cast("BufferedReader", self._process.stderr)

    def read_line(self) -> bytes:
        """Return the next line; nothing at the end."""
        with suppress(ValueError):  # another thread closed it
            return self._output.readline(MAX_LINE_BYTES)
        return b""

    def fill(self, view: memoryview) -> bool:
        """Read as many bytes as ``view`` has, and return whether there were so many."""
        with suppress(ValueError):  # another thread closed it
            return self._output.readinto(view) == len(view)
        return False

    def fate(self) -> str:
        """Say how the process ended."""
        if self._closed:
            return _FAILED + "was closed before the end"
        status = self._wait()
        if status == -signal.SIGXCPU:
            return _FAILED + f"used up the allowed {self._limits.max_cpu_s:,} CPU-seconds"
        if status < 0:
            return _FAILED + f"was ended by {signal.Signals(-status).name}"
        last_words = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return _FAILED + f"ended with status {status}: {_printable(''.join(last_words))}"

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        self._process.kill()
        self._wait()
        self._output.close()
        self._complaints.close()

    def _wait(self) -> int:
        """Return the exit status of a process that has ended, or must."""
        try:
            return self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return -signal.SIGKILL


_FAILED = "cannot be decoded: the decoder process "
_PROGRAM = "stemset.audio.decoder_process"
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # a Python that needs them must start
_END_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class _WireSamples:
    """How samples arrive, and what becomes of them.

    Attributes:
        channels: Number of channels.
        planar: Whether they arrive channel after channel, else frame after frame.
        wire: Their type as they arrive.
        zero: The value of silence.
        full_scale: The value that becomes 1.0.
        samples: Their type afterwards.
    """

    channels: int
    planar: bool
    wire: np.dtype[Any]
    zero: int
    full_scale: float
    samples: np.dtype[Any]

    @classmethod
    def of(cls, recording: RecordingFormat, sample: str, *, planar: bool) -> Self:
        """Return how a recording's samples of a format known to FFmpeg arrive.

        Raises:
            KeyError: if there is no such sample format on the wire.
        """
        wire, zero, full_scale = _SAMPLE_FORMATS[sample]
        wide = recording.depth in (Depth.S32, Depth.F64)
        samples = np.dtype(np.float64 if wide else np.float32)
        return cls(len(recording.channels), planar, np.dtype(wire), zero, full_scale, samples)

    @property
    def is_float(self) -> bool:
        """Whether there can be NaN or infinite samples."""
        return self.wire.kind == "f"

    def size(self, frames: int) -> int:
        """Return the bytes of so many frames on the wire."""
        return frames * self.channels * self.wire.itemsize

    def to_block(self, received: memoryview) -> Samples:
        """Return received samples as a new array of shape ``(channels, frames)``.

        Every step is exact: float32 holds 24-bit integers, and the scales are powers of 2.
        """
        values = np.frombuffer(received, self.wire)
        values = values.reshape((self.channels, -1) if self.planar else (-1, self.channels))
        block = np.array(values if self.planar else values.T, self.samples, order="C")
        if self.zero:
            block -= self.zero
        if not self.is_float:
            block /= self.full_scale
        return block


_SAMPLE_FORMATS = {
    "u8": (np.uint8, 2**7, 2.0**7),
    "s16": (np.int16, 0, 2.0**15),
    "s32": (np.int32, 0, 2.0**31),
    "flt": (np.float32, 0, 1.0),
    "dbl": (np.float64, 0, 1.0),
}
