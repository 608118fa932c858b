"""What a decoder process and its parent say to each other.

```text
parent → child   standard input: the recording's open file descriptor; argv[1]: DecodeLimits, JSON;
                 argv[2], if not all of the file is here: what is, [[begin, end], …], JSON
child → parent   standard output, one of
                   {"error": {"code", "detail"}}
                   {"lacks": offset}: the format depends on bytes that are not here
                   {"format": RecordingFormat, "sample": name, "planar": bool}, then blocks:
                     frame count   uint32, little-endian, never 0
                     samples       in the machine's byte order; channel after channel if planar,
                                   else frame after frame
                   then a frame count of 0 and one of
                     {"frames", "warnings", "cpu_s"}
                     {"error": {"code", "detail"}}
```

Every JSON message is one line. This file loads nothing but the standard library, so that a decoder
process starts fast.
"""

import struct
from dataclasses import asdict, dataclass
from typing import Any

from stemset.audio.formats import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Depth, RecordingFormat

BLOCK_FRAMES = 65_536
"""Frames of a block; only the last block of a recording is shorter."""

BLOCK_HEAD = struct.Struct("<I")

SAMPLE_BYTES = {"u8": 1, "s16": 2, "s32": 4, "flt": 4, "dbl": 8}
"""Bytes of a sample on the wire, by FFmpeg's name of the (packed) sample format."""

MAX_LINE_BYTES = 2**22
"""Most bytes of a line: 64 tags of 4,096 characters, each 12 bytes as JSON, and some."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a recording may cost; a decoder process holds itself to it.

    Attributes:
        max_duration_s: Longest recording, held against the header and while decoding.
        max_channels: Most channels.
        max_memory_bytes: Address space that the decoder process may use beyond what it has when
            it opens the recording. A picture of 200 MB in an MP3's tags
            takes 0.4 GB (measured with FFmpeg 8.1).
        probe_cpu_s: CPU-seconds for somebody who only wants the format, None for all of it.
    """

    max_duration_s: float = 12 * 3600
    max_channels: int = MAX_CHANNELS
    max_memory_bytes: int = 2**30
    probe_cpu_s: int | None = None

    @property
    def max_cpu_s(self) -> int:
        """CPU-seconds of the decoder process: 4 times realtime is slower than any known codec."""
        if self.probe_cpu_s is not None:
            return self.probe_cpu_s
        return 60 + int(self.max_duration_s / 4)


def format_to_json(recording: RecordingFormat) -> dict[str, Any]:
    """Return a recording's format as JSON values."""
    return asdict(recording)


def format_from_json(values: dict[str, Any]) -> RecordingFormat:
    """Return the format that ``format_to_json`` wrote down.

    Raises:
        TypeError, ValueError, KeyError: if ``values`` are not such a format.
    """
    for name, kind in _KINDS.items():
        if name in values and not isinstance(values[name], kind):
            raise TypeError(f"{name} is {values[name]!r}")
    channels, rate_hz = tuple(map(str, values["channels"])), values["rate_hz"]
    if not (1 <= len(channels) <= MAX_CHANNELS and MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ):
        raise ValueError(f"{len(channels)} channels at {rate_hz} Hz")
    checked = {
        "depth": Depth(values["depth"]),
        "channels": channels,
        "tags": {name: str(text) for name, text in values.get("tags", {}).items()},
        "warnings": tuple(map(str, values["warnings"])),
    }
    return RecordingFormat(**{**values, **checked})


_KINDS = {
    **dict.fromkeys(("container", "codec", "layout"), str),
    **dict.fromkeys(("lossless", "frames_exact"), bool),
    **dict.fromkeys(("rate_hz", "tracks"), int),
    "frames": int | None,
    "tags": dict,
}
