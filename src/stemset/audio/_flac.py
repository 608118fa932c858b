"""FLAC files with a SEEKTABLE that is written while encoding.

FFmpeg's encoder makes the frames; its muxer writes no SEEKTABLE, so the container is ours. The
header's size is fixed before the first frame: the table gets room for as many points as the
recording should need. Where the recording ends earlier, the rest are placeholders; where it goes
on, every second point is dropped and the distance between points doubles.

Source: RFC 9639, sections 8 (metadata blocks) and 8.5 (SEEKTABLE).
"""

import struct
from collections.abc import Iterable, Mapping

import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from stemset.audio._encoder import SampleEncoder
from stemset.audio._plan import Encoding
from stemset.audio._sink import OutputFile

SEEK_INTERVAL_S = 5

_MARKER = b"fLaC"
_STREAMINFO, _PADDING, _SEEKTABLE, _VORBIS_COMMENT = 0, 1, 3, 4
_LAST_BLOCK = 0x80
# Room for a tag editor, as the reference encoder leaves it for short files.
_PADDING_BYTES = 4096
_VENDOR = "Stemset"

_POINT = struct.Struct(">QQH")
_PLACEHOLDER = _POINT.pack(0xFFFF_FFFF_FFFF_FFFF, 0, 0)
# An hour and a day: the table of a recording of unknown length, and that of a header that lies.
_DEFAULT_PLACES = 3_600 // SEEK_INTERVAL_S
_MAX_PLACES = 86_400 // SEEK_INTERVAL_S

# FFmpeg's names of tags that Vorbis comments call otherwise.
_FIELDS = {
    "album_artist": "ALBUMARTIST",
    "comment": "DESCRIPTION",
    "disc": "DISCNUMBER",
    "track": "TRACKNUMBER",
}
# Source: WAVEFORMATEXTENSIBLE's dwChannelMask, as RFC 9639, 8.6.2 takes it over.
_SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC"),
    *("SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)


class FlacFile:
    """A FLAC file of 16 or 24 bits."""

    def __init__(
        self,
        output: OutputFile,
        encoding: Encoding,
        tags: Mapping[str, str],
        expected_frames: int | None,
    ) -> None:
        """Write the header, with room for the seek table.

        Args:
            output: The file.
            encoding: What is made.
            tags: Title, artist and so on.
            expected_frames: Length of the recording, None if nobody knows; it need not be right.
        """
        self._output = output
        self._encoder = SampleEncoder(encoding)
        self._comment = _vorbis_comment(tags, encoding)
        interval = SEEK_INTERVAL_S * encoding.rate_hz
        self._table = SeekTable(_places(expected_frames, interval), interval)
        self._frames = 0
        self._offset = 0
        self._write_header(self._encoder.context.extradata or b"")

    def write(self, samples: NDArray[np.generic]) -> None:
        """Encode and write a block of shape ``(channels, frames)``."""
        self._write_frames(self._encoder.encode(samples))

    def finish(self) -> None:
        """Write the last frames, then the header as it is now known."""
        packets = self._encoder.finish()
        self._write_frames(packets)
        self._output.seek(0)
        self._write_header(_final_streaminfo(packets))

    def _write_frames(self, packets: Iterable[Packet]) -> None:
        frames = []
        for packet in packets:
            if packet.size:
                self._table.add(self._frames, self._offset, packet.duration or 0)
                self._frames += packet.duration or 0
                self._offset += packet.size
                frames.append(packet)
        self._output.write(b"".join(frames))

    def _write_header(self, streaminfo: bytes) -> None:
        blocks = (
            _block(_STREAMINFO, streaminfo),
            _block(_SEEKTABLE, self._table.as_bytes()),
            _block(_VORBIS_COMMENT, self._comment),
            _block(_PADDING | _LAST_BLOCK, bytes(_PADDING_BYTES)),
        )
        self._output.write(_MARKER + b"".join(blocks))


class SeekTable:
    """Seek points at even distances, in a fixed number of places."""

    def __init__(self, places: int, interval_frames: int) -> None:
        """Start an empty table.

        Args:
            places: How many points it can hold, at least 2.
            interval_frames: Distance of the points in frames of audio; doubled when it is full.
        """
        self._places = max(places, 2)
        self._interval = interval_frames
        self._next = 0
        self._points = bytearray()

    def add(self, first_frame: int, offset: int, frames: int) -> None:
        """Note a FLAC frame; it becomes a point if it is the first one at or after its time.

        Args:
            first_frame: Number of its first frame of audio.
            offset: Its place in bytes, counted from the first FLAC frame.
            frames: How many frames of audio it holds.
        """
        if first_frame < self._next:
            return
        if len(self._points) == self._places * _POINT.size:
            self._thin()
            if first_frame < self._next:
                return
        self._points += _POINT.pack(first_frame, offset, frames)
        self._next += self._interval

    def as_bytes(self) -> bytes:
        """The body of the SEEKTABLE block, always of the same length."""
        free = self._places - len(self._points) // _POINT.size
        return bytes(self._points) + free * _PLACEHOLDER

    def _thin(self) -> None:
        kept = range(0, len(self._points), 2 * _POINT.size)
        self._points = bytearray().join(self._points[at : at + _POINT.size] for at in kept)
        self._interval *= 2
        self._next = len(kept) * self._interval


def _places(expected_frames: int | None, interval_frames: int) -> int:
    """How many seek points to keep room for: a few more, as a header may be a little wrong."""
    if expected_frames is None:
        return _DEFAULT_PLACES
    points = -(-expected_frames // interval_frames)
    return min(points + points // 64 + 2, _MAX_PLACES)


def _final_streaminfo(packets: Iterable[Packet]) -> bytes:
    """The STREAMINFO that FFmpeg's encoder sends at the end: true sizes, length and MD5.

    The one in the encoder's extradata is not it: PyAV asks for the end twice, and the MD5 of the
    second time is wrong (18.1, measured).
    """
    return next(
        bytes(packet.get_sidedata("new_extradata"))
        for packet in packets
        if packet.has_sidedata("new_extradata")
    )


def _block(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _vorbis_comment(tags: Mapping[str, str], encoding: Encoding) -> bytes:
    """The body of a VORBIS_COMMENT block: RFC 9639, 8.6."""
    fields = [f"{_FIELDS.get(key, key.upper())}={text}" for key, text in tags.items()]
    if encoding.layout not in ("mono", "stereo") and set(encoding.channels) <= set(_SPEAKERS):
        mask = sum(1 << _SPEAKERS.index(channel) for channel in encoding.channels)
        fields.append(f"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x{mask:04X}")
    parts = [_counted(_VENDOR), struct.pack("<I", len(fields)), *map(_counted, fields)]
    return b"".join(parts)


def _counted(text: str) -> bytes:
    encoded = text.encode(errors="replace")
    return struct.pack("<I", len(encoded)) + encoded
