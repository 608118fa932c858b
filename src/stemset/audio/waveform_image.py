"""A picture of a stem's waveform: white on transparent, one scale for all stems of an output."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from stemset.audio.files import writing
from stemset.audio.peaks import FULL_SCALE, Peaks, read_peaks

WIDTH = 1920
HEIGHT = 256

# Grey and opacity: 8 bit each, the smallest of the encoder's formats that has an opacity.
_PIXEL_FORMAT = "ya8"
_WHITE = _OPAQUE = 255


def common_scale(peaks_paths: Iterable[Path]) -> float:
    """The scale at which the loudest of several stems fills its picture.

    Args:
        peaks_paths: A peaks file of each stem.

    Returns:
        The largest absolute peak of all, of full scale 1; 1 if all are silent.

    Raises:
        OutputInvalid: A peaks file is missing or not complete.
    """
    largest = max((_largest(read_peaks(path)) for path in peaks_paths), default=0)
    return largest / FULL_SCALE if largest else 1.0


def write_waveform_png(peaks_path: Path, png_path: Path, *, scale: float) -> None:
    """Draw a waveform of 1920×256 pixels, the same bytes for the same peaks.

    Every column shows at least a line of two pixels in the middle.

    Args:
        peaks_path: The stem's finest peaks file; it is mapped, not loaded.
        png_path: The picture.
        scale: The sample value that reaches the picture's edge, of full scale 1.

    Raises:
        OutputInvalid: The peaks file is missing or not complete.
        NoSpace: The disk is full.
        OutputUnwritable: The picture cannot be written.
    """
    least, greatest = _columns(read_peaks(peaks_path))
    middle = (HEIGHT - 1) / 2
    top = np.floor(middle - middle * np.clip(greatest / scale, 0, 1))
    bottom = np.ceil(middle - middle * np.clip(least / scale, -1, 0))
    row = np.arange(HEIGHT)[:, np.newaxis]
    picture = _png((top <= row) & (row <= bottom))
    with writing(png_path):
        png_path.write_bytes(picture)


def _columns(peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest sample of each column, full scale 1."""
    pixels = len(peaks.minima)
    if not pixels:
        return np.zeros(WIDTH), np.zeros(WIDTH)
    # Of fewer pixels than columns, each stands in several: an empty range gives its first value.
    starts = np.arange(WIDTH) * pixels // WIDTH
    least = np.minimum.reduceat(peaks.minima, starts)
    greatest = np.maximum.reduceat(peaks.maxima, starts)
    return least / FULL_SCALE, greatest / FULL_SCALE


def _largest(peaks: Peaks) -> int:
    if not len(peaks.minima):
        return 0
    return max(-int(peaks.minima.min()), int(peaks.maxima.max()))


def _png(white: NDArray[np.bool_]) -> bytes:
    """Encode ``(rows, columns)`` of white or transparent pixels."""
    height, width = white.shape
    frame = av.VideoFrame(width, height, _PIXEL_FORMAT)
    plane = frame.planes[0]
    rows = np.zeros((height, plane.line_size), np.uint8)
    rows[:, 0 : 2 * width : 2] = _WHITE
    rows[:, 1 : 2 * width : 2] = np.where(white, _OPAQUE, 0)
    plane.update(rows.tobytes())
    encoder = cast("VideoCodecContext", VideoCodecContext.create("png", "w"))
    encoder.width, encoder.height, encoder.pix_fmt = width, height, _PIXEL_FORMAT
    encoder.framerate = Fraction(1)  # a picture has none, but the encoder wants one
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
