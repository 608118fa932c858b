"""Zoomable peaks of a stem: audiowaveform ``.dat`` files, version 2, at several resolutions.

One file per resolution, named ``<stem>.peaks-<samples per pixel>.dat``: a header of six 32-bit
little-endian numbers (version 2, flags 1 for 8 bit, rate, samples per pixel, number of pixels,
1 channel), then for each pixel the least and the greatest sample of all channels, 8 bit each.
The last pixel may stand for fewer samples.

Source: audiowaveform, "Waveform data file format"; like that program, 8-bit values are 1/128 of
full scale, rounded towards zero.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stemset.audio.files import writing
from stemset.audio.peaks_header import HEADER_BYTES, PeaksHeader, parse_header
from stemset.errors import OutputInvalid

SAMPLES_PER_PIXEL = (256, 1024, 4096, 16384)
"""The resolutions, the finest first; each is a multiple of the one before."""

FULL_SCALE = 128
"""The 8-bit value that stands for a sample of 1."""


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
    """Writes the peaks of one stem while it streams by, in memory that does not grow.

    The files do not depend on how the stem is cut into blocks.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        """Create the files.

        Args:
            path: The stem's path without a suffix.
            rate_hz: Its sample rate.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        self._pending: NDArray[np.floating] | None = None
        self._levels: list[_Level] = []
        finer = SAMPLES_PER_PIXEL[0]
        try:
            for samples in SAMPLES_PER_PIXEL:
                target = path.with_name(f"{path.name}.peaks-{samples}.dat")
                self._levels.append(_Level(target, rate_hz, samples, fold=samples // finer))
                finer = samples
        except BaseException:
            self.abort()
            raise

    def push(self, block: NDArray[np.floating]) -> None:
        """Take a block of shape ``(channels, frames)``.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        if self._pending is not None:
            block = np.concatenate((self._pending, block), axis=1)
        whole = block.shape[1] // SAMPLES_PER_PIXEL[0] * SAMPLES_PER_PIXEL[0]
        self._pending = block[:, whole:].copy()
        self._write(block[:, :whole])

    def close(self) -> tuple[Path, ...]:
        """Write the last, incomplete pixel of each resolution and complete the files.

        Returns:
            The files, the finest first.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: A file cannot be written.
        """
        self._write(np.zeros((1, 0)) if self._pending is None else self._pending, last=True)
        for level in self._levels:
            level.close()
        return tuple(level.path for level in self._levels)

    def abort(self) -> None:
        """Remove the files."""
        for level in self._levels:
            level.discard()

    def _write(self, block: NDArray[np.floating], *, last: bool = False) -> None:
        pixels = _quantised(_extremes(block, block, SAMPLES_PER_PIXEL[0]))
        for level in self._levels:
            pixels = level.write(pixels, last=last)


def read_peaks(path: Path) -> Peaks:
    """Map a peaks file into memory.

    Raises:
        OutputInvalid: It is missing, or not as ``PeaksWriter`` completes it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = file.seek(0, 2)
    except OSError as error:
        raise OutputInvalid(f"{path} cannot be read: {error.strerror}.") from error
    header = parse_header(head, size, str(path))
    # An empty file section cannot be mapped.
    pixels = np.zeros((0, 2), np.int8)
    if header.pixels:
        shape = (header.pixels, 2)
        pixels = np.memmap(path, np.int8, mode="r", offset=HEADER_BYTES, shape=shape)
    return Peaks(header.rate_hz, header.samples_per_pixel, pixels[:, 0], pixels[:, 1])


class _Level:
    """The file of one resolution; folds the pixels of the next finer one.

    Pixels are ``int8`` of shape ``(2, n)``: the least and the greatest values.
    """

    def __init__(self, path: Path, rate_hz: int, samples_per_pixel: int, *, fold: int) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._samples_per_pixel = samples_per_pixel
        self._fold = fold
        self._pending = np.zeros((2, 0), np.int8)
        self._length = 0
        with writing(path):
            self._file: BinaryIO = path.open("wb")
            self._file.write(self._header())

    def write(self, finer: NDArray[np.int8], *, last: bool) -> NDArray[np.int8]:
        """Take pixels of the finer resolution, write and return what they make of this one."""
        finer = np.concatenate((self._pending, finer), axis=1)
        whole = finer.shape[1] if last else finer.shape[1] // self._fold * self._fold
        self._pending = finer[:, whole:]
        pixels = _extremes(finer[:1, :whole], finer[1:, :whole], self._fold)
        with writing(self.path):
            self._file.write(pixels.T.tobytes())
        self._length += pixels.shape[1]
        return pixels

    def close(self) -> None:
        """Complete the header."""
        with writing(self.path):
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()

    def discard(self) -> None:
        """Remove the file, whatever the disk says about what was still to be written to it."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _header(self) -> bytes:
        return PeaksHeader(self._rate_hz, self._samples_per_pixel, self._length).to_bytes()


def _extremes(low: NDArray, high: NDArray, count: int) -> NDArray:
    """The least of ``low`` and the greatest of ``high`` in every ``count`` values of all rows.

    Returns:
        Shape ``(2, ceil(values / count))``.
    """
    starts = np.arange(0, low.shape[1], count)
    if not len(starts):
        return np.zeros((2, 0), low.dtype)
    least = np.minimum.reduceat(low, starts, axis=1).min(axis=0)
    greatest = np.maximum.reduceat(high, starts, axis=1).max(axis=0)
    return np.stack((least, greatest))


def _quantised(samples: NDArray[np.floating]) -> NDArray[np.int8]:
    return np.clip(samples * FULL_SCALE, -FULL_SCALE, FULL_SCALE - 1).astype(np.int8)
