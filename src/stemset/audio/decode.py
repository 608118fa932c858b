"""Decodes a recording, in a process of its own, into blocks of samples.

Enters: the path of a recording. Leaves: its format, then blocks of shape ``(channels, frames)``,
±1.0 full scale. Whatever the file's bytes do to FFmpeg, they do it in that process
(``decoder_process``), which holds the open file and knows no name. What it sends back is checked
like any other input.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stemset.audio._decoder_child import DecoderChild
from stemset.audio._decoder_wire import BLOCK_FRAMES, BLOCK_HEAD, DecodeLimits, format_from_json
from stemset.audio._input_file import InputFile, printable
from stemset.audio.formats import Depth, RecordingFormat
from stemset.errors import (
    DecoderCrashed,
    DecoderFailed,
    InputChanged,
    InputError,
    NonFiniteSamples,
)

__all__ = ["BLOCK_FRAMES", "BytesMissing", "DecodeLimits", "Decoder", "Samples", "probe"]

Samples = NDArray[np.float32] | NDArray[np.float64]


class BytesMissing(Exception):
    """What is here of a file does not tell what it is.

    Attributes:
        position: What is to be read next and is not here.
    """

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def probe(
    path: str | os.PathLike[str],
    limits: DecodeLimits | None = None,
    here: Sequence[tuple[int, int]] | None = None,
) -> RecordingFormat:
    """Return what a recording is made of, from its header and its first frame.

    Args:
        path: A file, of its full length.
        limits: What the recording may cost; the defaults if None.
        here: What of its bytes is here, from one position to another; None for all. What the other
            bytes are makes no difference.

    Raises:
        InputError: any of its leaves, as ``Decoder`` does.
        BytesMissing: if other bytes would have to be read to tell.
    """
    with Decoder(path, limits, here) as decoder:
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

    def __init__(
        self,
        path: str | os.PathLike[str],
        limits: DecodeLimits | None = None,
        here: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Open a recording and start its decoder.

        Args:
            path: A file.
            limits: What the recording may cost; the defaults if None.
            here: What of the file is here, for somebody who only wants the format; None for all.

        Raises:
            BytesMissing: if what is here does not tell what it is.
            InputNotFound, InputUnreadable, InputEmpty: if there is no file with bytes to read.
            InputError: any other of its leaves, for what the file holds.
        """
        self.frames = 0
        self.cpu_s = 0.0
        with ExitStack() as resources:
            self._file = InputFile(path)
            resources.callback(self._file.close)
            self._child = DecoderChild(self._file.descriptor, limits or DecodeLimits(), here)
            resources.callback(self._child.close)
            head = self._read_message()
            if here is not None and isinstance(position := head.get("lacks"), int):
                raise BytesMissing(position)
            self.format, self._samples = self._read_format(head)
            self.warnings = list(self.format.warnings)
            self._resources = resources.pop_all()

    def __iter__(self) -> Iterator[Samples]:
        """Yield all blocks.

        Raises:
            InputChanged: if the file is not what it was when it was opened.
            NonFiniteSamples: if a sample is NaN or infinite.
            TruncatedAudio, CorruptAudio, RecordingTooLong: as it turns out while decoding.
            DecoderCrashed: if the decoder process is ended by a signal.
            DecoderFailed: if it fails, or meets a limit, or ``close`` ended it.
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

    def _read_format(self, head: dict[str, Any]) -> tuple[RecordingFormat, "_WireSamples"]:
        """Read what the first line says."""
        try:
            recording = format_from_json(head["format"])
            return recording, _WireSamples.of(recording, head["sample"], planar=head["planar"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._failed("sent an unknown format") from error

    def _read_frame_count(self) -> int:
        """Read the head of a block."""
        head = bytearray(BLOCK_HEAD.size)
        self._fill(memoryview(head))
        (frames,) = BLOCK_HEAD.unpack(head)
        if frames > BLOCK_FRAMES:
            raise self._failed(f"sent a block of {frames:,} frames")
        return frames

    def _read_end(self) -> None:
        """Read the closing line."""
        end = self._read_message()
        try:
            frames, warnings, cpu_s = end["frames"], list(map(str, end["warnings"])), end["cpu_s"]
            self.cpu_s = float(cpu_s)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._failed("sent an unknown ending") from error
        if frames != self.frames:
            raise self._failed(f"sent only {self.frames:,} frames")
        if self._file.has_changed():
            raise self._error(InputChanged, "")
        self.warnings = warnings

    def _read_message(self) -> dict[str, Any]:
        """Read a line, and raise the error that it holds."""
        line = self._child.read_line()
        if not line:
            raise self._ended()
        try:
            message: dict[str, Any] = dict(json.loads(line))
            if "error" not in message:
                return message
            kind, detail = _ERRORS[message["error"]["code"]], str(message["error"]["detail"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._failed("sent an unknown message") from error
        raise self._error(kind, printable(detail))

    def _fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as ``view`` has."""
        if not self._child.fill(view):
            raise self._ended()

    def _refuse_non_finite(self, block: Samples) -> None:
        if self._samples.is_float and not np.isfinite(block).all():
            frame = self.frames + int(np.argmin(np.isfinite(block).all(axis=0)))
            at_s = frame / self.format.rate_hz
            raise self._error(
                NonFiniteSamples,
                f"holds a sample that is not finite: frame {frame:,}, at {at_s:.3f} s",
            )

    def _ended(self) -> InputError:
        """Return the error that the decoder process has ended before it had said all."""
        kind = DecoderCrashed if self._child.has_crashed else DecoderFailed
        return self._error(kind, f"cannot be decoded: the decoder process {self._child.fate()}")

    def _failed(self, what: str) -> InputError:
        """Return the error that the decoder process itself has failed."""
        return self._error(DecoderFailed, f"cannot be decoded: the decoder process {what}")

    def _error(self, kind: type[InputError], detail: str) -> InputError:
        """Return an error about this file; that it changed explains any other."""
        if self._file.has_changed():
            kind, detail = InputChanged, "changed while it was read"
        return kind(f"{self._file.name} {detail}.")


_ERRORS = {kind.code: kind for kind in InputError.__subclasses__()}


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
