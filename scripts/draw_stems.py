"""Draw the stems of an output above one another: the picture in the README.

Usage: draw_stems.py OUTPUT PICTURE.png
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

BACKGROUND = np.array([24, 26, 32])
COLOURS = np.array([[255, 138, 101], [79, 195, 247], [174, 213, 129], [186, 104, 200]])
GAP_ROWS = 24


def main(output: Path, picture: Path) -> None:
    """Stack the waveform pictures of all stems, each in its colour."""
    stems = json.loads((output / "metadata.json").read_text())["stems"].values()
    rows: list[NDArray[np.uint8]] = []
    for stem, colour in zip(stems, COLOURS, strict=False):
        with av.open(str(output / stem["waveform_url"])) as file:
            waveform = next(file.decode(video=0)).to_ndarray(format="rgba")
        opacity = waveform[..., 3:] / 255
        rows.append((opacity * colour + (1 - opacity) * BACKGROUND).astype(np.uint8))
        gap = np.broadcast_to(BACKGROUND, (GAP_ROWS, waveform.shape[1], 3))
        rows.append(gap.astype(np.uint8))
    picture.write_bytes(encode(np.concatenate(rows[:-1])))


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode (height, width, 3) as PNG."""
    codec = CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)  # noqa: S101 - a fact of the codec
    codec.height, codec.width, codec.pix_fmt = *image.shape[:2], "rgb24"
    codec.time_base = Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    return b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
