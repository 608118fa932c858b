"""Zoomable peaks of a stem: audiowaveform ``.dat`` files, version 2, at several resolutions.

One file per resolution, named ``<stem>.peaks-<samples per pixel>.dat``: a header of six 32-bit
little-endian numbers (version 2, flags 1 for 8 bit, rate, samples per pixel, number of pixels,
1 channel), then for each pixel the least and the greatest sample of all channels, 8 bit each.

Source: audiowaveform, "Data file format", version 2.
"""

import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stemset.audio.files import writing

SAMPLES_PER_PIXEL = (256, 1024, 4096, 16384)

_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_8_BIT = 1
_SCALE = 128


@dataclass(frozen=True, slots=True)
class Peaks:
    """A peaks file, mapped into memory.

    Attributes:
        rate_hz: Sample rate of the stem.
        samples_per_pixel: How many frames a pixel stands for.
        minima: Least sample of each pixel, ``int8``, −128 is negative full scale.
        maxima: Greatest sample of each pixel.
    """

    rate_hz: int
    samples_per_pixel: int
    minima: NDArray[np.int8]
    maxima: NDArray[np.int8]


class PeaksWriter:
    """Writes the peaks of one stem while it streams by, whatever its length."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        """Create the files.

        Args:
            path: The stem's path without a suffix.
            rate_hz: Its sample rate.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        self._levels: list[_Level] = []
        try:
            for samples in SAMPLES_PER_PIXEL:
                target = path.with_name(f"{path.name}.peaks-{samples}.dat")
                self._levels.append(_Level(target, rate_hz, samples))
        except BaseException:
            self.abort()
            raise
        self._rest: NDArray[np.float32] | None = None

    def push(self, block: NDArray[np.float32]) -> None:
        """Take a block of shape ``(channels, frames)``.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        if self._rest is not None:
            block = np.concatenate([self._rest, block], axis=1)
        whole = block.shape[1] // SAMPLES_PER_PIXEL[0] * SAMPLES_PER_PIXEL[0]
        self._rest = block[:, whole:].copy()
        self._write(_extremes(block[:, :whole], SAMPLES_PER_PIXEL[0]))

    def close(self) -> tuple[Path, ...]:
        """Write what is left, as a pixel of fewer samples, and complete the files.

        Returns:
            The files, the finest first.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        if self._rest is not None and self._rest.shape[1]:
            self._write(_extremes(self._rest, self._rest.shape[1]))
        pixels = np.empty((2, 0), np.float32)
        for level in self._levels:
            pixels = level.finish(pixels)
        return tuple(level.path for level in self._levels)

    def abort(self) -> None:
        """Remove the files."""
        for level in self._levels:
            level.discard()

    def _write(self, pixels: NDArray[np.float32]) -> None:
        for level in self._levels:
            pixels = level.push(pixels)


class _Level:
    """The file of one resolution; hands its pixels on to the next coarser one."""

    def __init__(self, path: Path, rate_hz: int, samples_per_pixel: int) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._samples_per_pixel = samples_per_pixel
        position = SAMPLES_PER_PIXEL.index(samples_per_pixel)
        self._fold = samples_per_pixel // SAMPLES_PER_PIXEL[max(position - 1, 0)]
        self._rest = np.empty((2, 0), np.float32)
        self._pixels = 0
        with writing(path):
            self._file: BinaryIO = path.open("wb")
            self._file.write(self._header())

    def push(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take pixels of the next finer level, give this level's."""
        pixels = np.concatenate([self._rest, pixels], axis=1)
        whole = pixels.shape[1] // self._fold * self._fold
        self._rest = pixels[:, whole:]
        return self._put(_fold(pixels[:, :whole], self._fold))

    def finish(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the last pixels of the finer level, complete the file, give its last pixels."""
        done = self.push(pixels)
        if self._rest.shape[1]:
            last = self._put(_fold(self._rest, self._rest.shape[1]))
            done = np.concatenate([done, last], axis=1)
        with writing(self.path):
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()
        return done

    def discard(self) -> None:
        with suppress(OSError):  # what it still held need not reach a full disk
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _put(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = np.clip(np.floor(pixels * _SCALE), -_SCALE, _SCALE - 1).astype(np.int8)
        with writing(self.path):
            self._file.write(scaled.T.tobytes())
        self._pixels += pixels.shape[1]
        return pixels

    def _header(self) -> bytes:
        return _HEADER.pack(
            _VERSION, _8_BIT, self._rate_hz, self._samples_per_pixel, self._pixels, 1
        )


def read_peaks(path: Path) -> Peaks:
    """Map a peaks file into memory.

    Raises:
        ValueError: It is no file that ``PeaksWriter`` wrote.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        message = f"{path} is no peaks file"
        raise ValueError(message)
    version, flags, rate_hz, samples_per_pixel, pixels, channels = _HEADER.unpack(head)
    if (version, flags, channels) != (_VERSION, _8_BIT, 1):
        message = f"{path} is no peaks file of version {_VERSION}, 8 bit, 1 channel"
        raise ValueError(message)
    values = np.zeros((0, 2), np.int8)
    if pixels:
        values = np.memmap(path, np.int8, mode="r", offset=_HEADER.size, shape=(pixels, 2))
    return Peaks(rate_hz, samples_per_pixel, values[:, 0], values[:, 1])


def _extremes(block: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Turn (channels, n × count) into (2, n): the least and the greatest of all channels."""
    edges = np.arange(0, block.shape[1], count)
    if not len(edges):
        return np.empty((2, 0), np.float32)
    least = np.minimum.reduceat(block, edges, axis=1).min(axis=0)
    greatest = np.maximum.reduceat(block, edges, axis=1).max(axis=0)
    return np.stack([least, greatest])


def _fold(extremes: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Fold (2, n × count) into (2, n): the least of the first row, the greatest of the second."""
    parts = extremes.reshape(2, -1, count)
    return np.stack([parts[0].min(axis=1), parts[1].max(axis=1)])
