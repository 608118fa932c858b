"""The boxes of an MP4 file with one AAC track.

Source: ISO/IEC 14496-12 (boxes), 14496-14 (esds); the metadata atoms are Apple's.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PACKET_FRAMES = 1024

_CHUNK_PACKETS = 48  # about a second; players read one at a time
_MAX_32 = 0xFFFF_FFFF
_MAX_16 = 0xFFFF
_BOX_HEADER_BYTES = 8
_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)
_LANGUAGE_UNDETERMINED = 0x55C4
_TRACK_ID = 1
_UTF8, _BINARY = 1, 0

_ATOMS = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album_artist": b"aART",
    "composer": b"\xa9wrt",
    "album": b"\xa9alb",
    "date": b"\xa9day",
    "comment": b"\xa9cmt",
    "genre": b"\xa9gen",
    "copyright": b"cprt",
    "lyrics": b"\xa9lyr",
    "description": b"desc",
}
_NUMBER_ATOMS = {"track": b"trkn", "disc": b"disk"}
_NUMBERS = re.compile(r"(\d{1,4})(?:/(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Movie:
    """What the index must say.

    Attributes:
        rate_hz: Sample rate; all times are counted in frames.
        channels: Number of channels.
        bitrate_bps: Of the track, as it was asked for.
        config: The AudioSpecificConfig.
        tags: Title, artist and so on.
        frames: Length of the recording.
        priming_frames: Frames that the encoder puts before it.
        data_start: Place of the first packet in the file, in bytes.
        packet_bytes: Size of each packet; they lie one after the other.
    """

    rate_hz: int
    channels: int
    bitrate_bps: int
    config: bytes
    tags: Mapping[str, str]
    frames: int
    priming_frames: int
    data_start: int
    packet_bytes: NDArray[np.uint32]

    @property
    def media_frames(self) -> int:
        """Length of the track with what the encoder puts before it."""
        return self.priming_frames + self.frames


def ftyp_box() -> bytes:
    """The first box: what kind of file this is."""
    return _box(b"ftyp", b"M4A ", struct.pack(">I", 0x200), b"M4A isomiso2")


def free_box(size: int) -> bytes:
    """A box of ``size`` bytes that says nothing; none for 0."""
    return _box(b"free", bytes(size - _BOX_HEADER_BYTES)) if size else b""


def mdat_header(data_bytes: int) -> bytes:
    """The 16 bytes before the packets, of one length for all sizes."""
    size = _BOX_HEADER_BYTES + data_bytes
    if size > _MAX_32:
        return struct.pack(">I4sQ", 1, b"mdat", _BOX_HEADER_BYTES + size)
    return free_box(_BOX_HEADER_BYTES) + struct.pack(">I4s", size, b"mdat")


def moov_box(movie: Movie) -> bytes:
    """The index of the whole file."""
    parts = [_mvhd(movie), _trak(movie)]
    if atoms := b"".join(_atoms(movie.tags)):
        meta = _full_box(b"meta", _hdlr(b"mdir", b"appl", b""), _box(b"ilst", atoms))
        parts.append(_box(b"udta", meta))
    return _box(b"moov", *parts)


def _mvhd(movie: Movie) -> bytes:
    wide = _is_wide(movie)
    return _full_box(
        b"mvhd",
        struct.pack(">QQIQ" if wide else ">IIII", 0, 0, movie.rate_hz, movie.frames),
        struct.pack(">IH10x", 0x10000, 0x100),  # plays at speed 1, volume 1
        _UNITY_MATRIX,
        struct.pack(">24xI", _TRACK_ID + 1),
        version=wide,
    )


def _trak(movie: Movie) -> bytes:
    minf = _box(
        b"minf",
        _full_box(b"smhd", bytes(4)),
        _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1), _full_box(b"url ", flags=1))),
        _stbl(movie),
    )
    return _box(
        b"trak",
        _tkhd(movie),
        _box(b"edts", _elst(movie)),
        _box(b"mdia", _mdhd(movie), _hdlr(b"soun", bytes(4), b"SoundHandler"), minf),
    )


def _tkhd(movie: Movie) -> bytes:
    wide = _is_wide(movie)
    return _full_box(
        b"tkhd",
        struct.pack(">QQIIQ" if wide else ">IIIII", 0, 0, _TRACK_ID, 0, movie.frames),
        struct.pack(">8xHHH2x", 0, 1, 0x100),  # layer 0, group 1, volume 1
        _UNITY_MATRIX,
        bytes(8),
        version=wide,
        flags=3,  # enabled, in the movie
    )


def _elst(movie: Movie) -> bytes:
    wide = _is_wide(movie)
    edit = struct.pack(">Qq" if wide else ">Ii", movie.frames, movie.priming_frames)
    return _full_box(b"elst", struct.pack(">I", 1), edit, struct.pack(">I", 0x10000), version=wide)


def _mdhd(movie: Movie) -> bytes:
    wide = _is_wide(movie)
    return _full_box(
        b"mdhd",
        struct.pack(">QQIQ" if wide else ">IIII", 0, 0, movie.rate_hz, movie.media_frames),
        struct.pack(">HH", _LANGUAGE_UNDETERMINED, 0),
        version=wide,
    )


def _hdlr(kind: bytes, maker: bytes, name: bytes) -> bytes:
    return _full_box(b"hdlr", bytes(4), kind, maker, bytes(8), name, b"\0")


def _stbl(movie: Movie) -> bytes:
    packets = len(movie.packet_bytes)
    return _box(
        b"stbl",
        _full_box(b"stsd", struct.pack(">I", 1), _mp4a(movie)),
        _table(b"stts", ">II", _packet_lengths(movie)),
        _table(b"stsc", ">III", _chunk_lengths(packets)),
        _full_box(b"stsz", struct.pack(">II", 0, packets), _big_endian(movie.packet_bytes, ">u4")),
        _chunk_offsets(movie),
        # A packet can be decoded only after the one before it.
        _full_box(b"sgpd", b"roll", struct.pack(">IIh", 2, 1, -1), version=1),
        _full_box(b"sbgp", b"roll", struct.pack(">III", 1, packets, 1)),
    )


def _mp4a(movie: Movie) -> bytes:
    # The field cannot hold more than 65,535 Hz; half of it stands for a rate that is in the config.
    rate_hz = movie.rate_hz if movie.rate_hz <= _MAX_16 else movie.rate_hz // 2
    entry = struct.pack(">6xH8xHH4xHH", 1, movie.channels, 16, rate_hz, 0)
    return _box(b"mp4a", entry, _full_box(b"esds", _es_descriptor(movie)))


def _es_descriptor(movie: Movie) -> bytes:
    mean_bps = 8 * int(movie.packet_bytes.sum()) * movie.rate_hz // max(movie.media_frames, 1)
    decoder = struct.pack(">BB3xII", 0x40, 0x15, max(movie.bitrate_bps, mean_bps), mean_bps)
    config = _descriptor(0x05, movie.config)
    return _descriptor(
        0x03,
        struct.pack(">HB", _TRACK_ID, 0),
        _descriptor(0x04, decoder, config),
        _descriptor(0x06, b"\x02"),
    )


def _packet_lengths(movie: Movie) -> list[tuple[int, int]]:
    """Runs of packets of one length; the last one ends with the recording."""
    packets = len(movie.packet_bytes)
    last = movie.media_frames - (packets - 1) * PACKET_FRAMES
    runs = [(packets - 1, PACKET_FRAMES), (1, last)]
    if last == PACKET_FRAMES:
        runs = [(packets, PACKET_FRAMES)]
    return [run for run in runs if run[0] > 0]


def _chunk_lengths(packets: int) -> list[tuple[int, int, int]]:
    """Runs of chunks of one length: the first chunk's number, packets in each, description 1."""
    full, rest = divmod(packets, _CHUNK_PACKETS)
    runs = [(1, _CHUNK_PACKETS, 1)] if full else []
    return [*runs, (full + 1, rest, 1)] if rest else runs


def _chunk_offsets(movie: Movie) -> bytes:
    sizes = movie.packet_bytes.astype(np.int64)
    ends = np.cumsum(sizes)
    offsets = movie.data_start + (ends - sizes)[::_CHUNK_PACKETS]
    wide = len(offsets) > 0 and int(offsets[-1]) > _MAX_32
    return _full_box(
        b"co64" if wide else b"stco",
        struct.pack(">I", len(offsets)),
        _big_endian(offsets, ">u8" if wide else ">u4"),
    )


def _atoms(tags: Mapping[str, str]) -> Iterator[bytes]:
    for key, text in tags.items():
        if key in _ATOMS:
            yield _box(_ATOMS[key], _data(_UTF8, text.encode(errors="replace")))
        elif key in _NUMBER_ATOMS and (numbers := _NUMBERS.fullmatch(text)):
            number, total = (int(group or 0) for group in numbers.groups())
            yield _box(_NUMBER_ATOMS[key], _data(_BINARY, struct.pack(">2xHH2x", number, total)))
        else:
            yield _box(
                b"----",
                _full_box(b"mean", b"com.apple.iTunes"),
                _full_box(b"name", key.encode(errors="replace")),
                _data(_UTF8, text.encode(errors="replace")),
            )


def _data(kind: int, body: bytes) -> bytes:
    return _full_box(b"data", bytes(4), body, flags=kind)


def _table(kind: bytes, entry: str, rows: list[tuple[int, ...]]) -> bytes:
    packed = b"".join(struct.pack(entry, *row) for row in rows)
    return _full_box(kind, struct.pack(">I", len(rows)), packed)


def _big_endian(numbers: NDArray[np.integer], dtype: str) -> bytes:
    return numbers.astype(dtype).tobytes()


def _descriptor(tag: int, *parts: bytes) -> bytes:
    """An MPEG-4 descriptor, its length in four groups of seven bits."""
    body = b"".join(parts)
    groups = [len(body) >> shift & 0x7F for shift in (21, 14, 7, 0)]
    return bytes([tag, *(group | 0x80 for group in groups[:3]), groups[3]]) + body


def _full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", _BOX_HEADER_BYTES + len(body), kind) + body


def _is_wide(movie: Movie) -> bool:
    """Whether times need 64 bits: 12½ hours at 96 kHz do."""
    return movie.media_frames > _MAX_32
