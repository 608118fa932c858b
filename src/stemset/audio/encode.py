"""Write a stem while it is computed: blocks of samples in, complete files out.

A `StemWriter` takes a stem's samples at the recording's rate. It makes the file that
`plan_encoding` planned and, where a player could not read windows of that file (AAC, MP3), an Opus
rendition beside it. Each Opus file has an index of its pages:

===========  ==========================================================================
``wav``      ``vocals.wav``
``flac``     ``vocals.flac``, with a SEEKTABLE
``opus``     ``vocals.opus``, ``vocals.opus.index.json``
``aac``      ``vocals.m4a``, ``vocals.player.opus``, ``vocals.player.opus.index.json``
``mp3``      ``vocals.mp3``, ``vocals.player.opus``, ``vocals.player.opus.index.json``
===========  ==========================================================================

The same samples give the same bytes, however they are cut into blocks. Memory does not grow with
the recording's length.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stemset.audio._flac import FlacFile
from stemset.audio._m4a import M4aFile
from stemset.audio._muxed import MuxedFile
from stemset.audio._ogg_index import INDEX_SUFFIX
from stemset.audio._plan import Encoding, plan_encoding
from stemset.audio._sink import OutputFile, encoder_errors
from stemset.audio.formats import OutputFormat
from stemset.audio.resample import Resampler, resampled_frames

__all__ = ["Encoding", "StemWriter", "plan_encoding"]

_RENDITION_SUFFIX = ".player.opus"
# 1.4 s at 48 kHz: what Python costs for a block is lost in what the encoder costs for it.
_BLOCK_FRAMES = 1 << 16
_MAX_TAG_CHARACTERS = 1 << 16


class StemWriter:
    """Encodes one stem; used from one thread, which holds the interpreter only between blocks.

    As a context manager it closes at the end of the block, and aborts if that raised.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        *,
        expected_frames: int | None = None,
        tags: Mapping[str, str] | None = None,
        for_player: bool = True,
    ) -> None:
        """Create the files and write their headers.

        Args:
            path: The stem's path without a suffix; files of the same names are replaced.
            encoding: What is made.
            expected_frames: Length of the recording at its own rate, None if nobody knows. It
                sizes the tables in front of the audio and may be wrong.
            tags: Title, artist and so on, lower-case keys as FFmpeg calls them.
            for_player: Whether there is what a player reads windows by: an Opus file's index, and
                the rendition beside AAC and MP3.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        self._for_player = for_player
        self._outputs: list[OutputFile] = []
        self._renditions: list[_Rendition] = []
        self._paths: tuple[Path, ...] = ()
        dtype = np.int32 if encoding.is_integer else np.float32
        self._block = np.empty((len(encoding.channels), _BLOCK_FRAMES), dtype)
        self._filled = 0
        self._written = 0
        try:
            self._open(path, encoding, expected_frames, _portable(tags or {}))
        except BaseException:
            self.abort()
            raise

    @property
    def frames(self) -> int:
        """Frames taken so far."""
        return self._written + self._filled

    def write(self, samples: NDArray[np.generic]) -> None:
        """Take a block.

        Args:
            samples: Shape ``(channels, frames)``: ``int32``, right-aligned, for an integer depth;
                ``float32`` for 32-bit float and the lossy formats.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        taken = 0
        while taken < samples.shape[1]:
            part = samples[:, taken : taken + _BLOCK_FRAMES - self._filled]
            end = self._filled + part.shape[1]
            np.copyto(self._block[:, self._filled : end], part, casting="same_kind")
            self._filled = end
            taken += part.shape[1]
            if end == _BLOCK_FRAMES:
                self._flush()

    def close(self) -> tuple[Path, ...]:
        """Complete the files.

        Returns:
            All files, the stem first.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        if not self._paths:
            self._flush()
            for rendition in self._renditions:
                rendition.finish()
                self._write_index(rendition)
            for output in self._outputs:
                output.close()
            self._paths = tuple(output.path for output in self._outputs)
        return self._paths

    def abort(self) -> None:
        """Remove all that was written, whatever state it is in."""
        for output in self._outputs:
            output.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.close()
        except BaseException:
            self.abort()
            raise

    def _open(
        self,
        path: Path,
        encoding: Encoding,
        expected_frames: int | None,
        tags: Mapping[str, str],
    ) -> None:
        for file_path, file_encoding in _files(path, encoding, for_player=self._for_player):
            output = OutputFile(file_path)
            self._outputs.append(output)
            self._renditions.append(_Rendition(output, file_encoding, tags, expected_frames))

    def _flush(self) -> None:
        block = self._block[:, : self._filled]
        self._written += self._filled
        self._filled = 0
        for rendition in self._renditions:
            rendition.write(block)

    def _write_index(self, rendition: "_Rendition") -> None:
        index = rendition.index
        if index is not None and self._for_player:
            path = rendition.output.path
            output = OutputFile(path.with_name(path.name + INDEX_SUFFIX))
            self._outputs.append(output)
            output.write(json.dumps(index, separators=(",", ":")).encode())
            output.check()


class _StemFile(Protocol):
    """A file of some format while it is written."""

    def write(self, samples: NDArray[np.generic]) -> None: ...

    def finish(self) -> None: ...


class _Rendition:
    """One file, fed at the recording's rate."""

    def __init__(
        self,
        output: OutputFile,
        encoding: Encoding,
        tags: Mapping[str, str],
        expected_frames: int | None,
    ) -> None:
        self.output = output
        source_hz, file_hz = encoding.source_rate_hz, encoding.rate_hz
        self._resampler = Resampler(source_hz, file_hz, len(encoding.channels))
        if expected_frames is not None:
            expected_frames = resampled_frames(expected_frames, source_hz, file_hz)
        with encoder_errors(output.path):
            self._file = _opened(output, encoding, tags, expected_frames)
        output.check()

    @property
    def index(self) -> dict[str, object] | None:
        """The index of its pages, if it has any."""
        if isinstance(self._file, MuxedFile) and self._file.index is not None:
            return self._file.index.as_json()
        return None

    def write(self, block: NDArray[np.generic]) -> None:
        with encoder_errors(self.output.path):
            self._file.write(self._resampler.push(block))
        self.output.check()

    def finish(self) -> None:
        with encoder_errors(self.output.path):
            self._file.write(self._resampler.finish())
            self._file.finish()
        self.output.check()


def _portable(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that every format can carry: no NUL, a plain key, a text and not a picture."""
    cleaned = {key: text.replace("\0", "").strip() for key, text in tags.items()}
    return {
        key: text
        for key, text in cleaned.items()
        if 0 < len(text) <= _MAX_TAG_CHARACTERS
        and key.isascii()
        and key.isprintable()
        and key
        and "=" not in key
    }


def _files(path: Path, encoding: Encoding, *, for_player: bool) -> Iterator[tuple[Path, Encoding]]:
    yield path.with_name(path.name + encoding.format.suffix), encoding
    if for_player and (rendition := encoding.rendition) is not None:
        yield path.with_name(path.name + _RENDITION_SUFFIX), rendition


def _opened(
    output: OutputFile,
    encoding: Encoding,
    tags: Mapping[str, str],
    expected_frames: int | None,
) -> _StemFile:
    match encoding.format:
        case OutputFormat.FLAC:
            return FlacFile(output, encoding, tags, expected_frames)
        case OutputFormat.AAC:
            return M4aFile(output, encoding, tags, expected_frames)
        case _:
            return MuxedFile(output, encoding, tags)
