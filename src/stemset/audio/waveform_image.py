"""A picture of a stem's waveform: white on transparent, one scale for all stems of an output."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from stemset.audio.files import writing
from stemset.audio.peaks import Peaks, read_peaks

WIDTH = 1920
HEIGHT = 256

_WHITE = 255


def common_scale(peaks_paths: Iterable[Path]) -> float:
    """The scale at which the loudest of several stems fills its picture.

    Args:
        peaks_paths: Peak files of all stems.

    Returns:
        The largest absolute peak of all, of full scale 1; 1 if all are silent.
    """
    largest = max((_largest(read_peaks(path)) for path in peaks_paths), default=0)
    return largest / 128 if largest else 1.0


def write_waveform_png(peaks_path: Path, png_path: Path, *, scale: float) -> None:
    """Draw a waveform of 1920×256 pixels.

    Args:
        peaks_path: The stem's finest peaks file; read in bounded memory.
        png_path: The picture.
        scale: The sample value that reaches the picture's edge.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: The picture cannot be written.
    """
    least, greatest = _columns(read_peaks(peaks_path))
    middle = (HEIGHT - 1) / 2
    top = np.floor(middle - np.clip(greatest / scale, 0, 1) * middle)
    bottom = np.ceil(middle - np.clip(least / scale, -1, 0) * middle)
    rows = np.arange(HEIGHT)[:, np.newaxis]
    alpha = np.where((rows >= top) & (rows <= bottom), _WHITE, 0).astype(np.uint8)
    with writing(png_path):
        png_path.write_bytes(_png(alpha))


def _columns(peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and greatest sample of each column, full scale 1."""
    pixels = len(peaks.minima)
    if not pixels:
        return np.zeros(WIDTH), np.zeros(WIDTH)
    edges = np.arange(WIDTH) * pixels // WIDTH
    least = np.minimum.reduceat(peaks.minima, edges)
    greatest = np.maximum.reduceat(peaks.maxima, edges)
    # An 8-bit peak is the floor of the sample: −1 stands for the smallest negative ones.
    return (least + (least < 0)) / 128, greatest / 128


def _largest(peaks: Peaks) -> int:
    if not len(peaks.minima):
        return 0
    return max(-int(peaks.minima.min()) - 1, int(peaks.maxima.max()))


def _png(alpha: NDArray[np.uint8]) -> bytes:
    """Encode white of this opacity."""
    codec = CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)  # noqa: S101 - a fact of the codec
    codec.width, codec.height, codec.pix_fmt = alpha.shape[1], alpha.shape[0], "ya8"
    codec.time_base = Fraction(1, 1)
    picture = np.stack([np.full_like(alpha, _WHITE), alpha], axis=-1)
    frame = av.VideoFrame(alpha.shape[1], alpha.shape[0], "ya8")
    plane = frame.planes[0]
    rows = np.zeros((alpha.shape[0], plane.line_size), np.uint8)
    rows[:, : 2 * alpha.shape[1]] = picture.reshape(alpha.shape[0], -1)
    plane.update(rows.tobytes())
    return b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))
