"""The header of a peaks file, read and written without arrays; ``peaks`` says what it holds."""

import struct
from dataclasses import dataclass

from stemset.errors import OutputInvalid

_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_8_BIT = 1
_CHANNELS = 1

HEADER_BYTES = _HEADER.size
"""Length of the header; two bytes for each pixel follow."""


@dataclass(frozen=True, slots=True)
class PeaksHeader:
    """What a peaks file says of itself.

    Attributes:
        rate_hz: Sample rate of the stem.
        samples_per_pixel: How many frames a pixel stands for.
        pixels: How many pixels follow.
    """

    rate_hz: int
    samples_per_pixel: int
    pixels: int

    def to_bytes(self) -> bytes:
        """The header as it stands in the file."""
        return _HEADER.pack(
            _VERSION, _8_BIT, self.rate_hz, self.samples_per_pixel, self.pixels, _CHANNELS
        )


def parse_header(data: bytes, size: int, name: str) -> PeaksHeader:
    """Read a header.

    Args:
        data: The file's first bytes, ``HEADER_BYTES`` or more if it has so many.
        size: Its length.
        name: What it is called in an error.

    Raises:
        OutputInvalid: It is no peaks file, or not a complete one.
    """
    if len(data) < HEADER_BYTES:
        raise OutputInvalid(
            f"{name} has {size} bytes; the header of a peaks file has {HEADER_BYTES}."
        )
    version, flags, rate_hz, samples_per_pixel, pixels, channels = _HEADER.unpack_from(data)
    if (version, flags, channels) != (_VERSION, _8_BIT, _CHANNELS):
        raise OutputInvalid(f"{name} is no peaks file of version 2, 8 bit, 1 channel.")
    if size != HEADER_BYTES + 2 * pixels:
        raise OutputInvalid(f"{name} has {size} bytes; its header promises {pixels} pixels.")
    return PeaksHeader(rate_hz, samples_per_pixel, pixels)
