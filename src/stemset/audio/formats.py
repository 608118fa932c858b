"""What a recording is made of, and what a stem's file will be made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_CHANNELS = 8
MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000


class Depth(StrEnum):
    """How one sample is stored."""

    S16 = "16"
    S24 = "24"
    S32 = "32"
    F32 = "32f"
    F64 = "64f"

    @property
    def is_float(self) -> bool:
        """Whether samples are floating point."""
        return self in (Depth.F32, Depth.F64)

    @property
    def bits(self) -> int:
        """Bits of one sample."""
        return int(self.rstrip("f"))


class OutputFormat(StrEnum):
    """The file formats that stems can be written in."""

    OPUS = "opus"
    AAC = "aac"
    MP3 = "mp3"
    FLAC = "flac"
    WAV = "wav"

    @property
    def is_lossy(self) -> bool:
        """Whether the format keeps an approximation of the samples."""
        return self in (OutputFormat.OPUS, OutputFormat.AAC, OutputFormat.MP3)

    @property
    def suffix(self) -> str:
        """The file name's ending, with the dot."""
        return ".m4a" if self is OutputFormat.AAC else f".{self.value}"


@dataclass(frozen=True, slots=True)
class RecordingFormat:
    """What a recording's header says.

    Attributes:
        container: FFmpeg's name of the container, for example ``wav``.
        codec: FFmpeg's name of the codec, for example ``pcm_s24le``.
        rate_hz: Sample rate.
        channels: Channel names in order, for example ``("FL", "FR")``.
        layout: FFmpeg's name of the channel layout, for example ``stereo``.
        depth: Depth of the samples; a lossy codec decodes to ``Depth.F32``.
        lossless: Whether the codec stores the samples themselves.
        frames: Number of frames that the header promises, None if it does not say. Exact for
            containers that store it (WAV, FLAC, AIFF, …), see ``frames_exact``.
        frames_exact: Whether ``frames`` is a promise that the decoder must meet.
        tracks: Number of audio tracks in the file; the first one is used.
        tags: Title, artist and so on, lower-case keys.
        warnings: What is odd about the file, in words.
    """

    container: str
    codec: str
    rate_hz: int
    channels: tuple[str, ...]
    layout: str
    depth: Depth
    lossless: bool
    frames: int | None
    frames_exact: bool = False
    tracks: int = 1
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float | None:
        """Length that the header promises, in seconds."""
        return None if self.frames is None else self.frames / self.rate_hz
