"""Decide how a stem's file is made, before anything is computed."""

from dataclasses import dataclass

from stemset.audio._limits import fit_bitrate, fit_depth, fit_layout, fit_rate
from stemset.audio.formats import Depth, OutputFormat, RecordingFormat

# A rendition is for listening in a browser over any network; the stem itself is the master.
_RENDITION_KBPS = 128


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a stem's file is made.

    Attributes:
        format: The file's format.
        bitrate_kbps: Of the whole stream, in kbit/s; None for a lossless format.
        rate_hz: Sample rate of the file.
        source_rate_hz: Sample rate of the samples that are handed in.
        channels: Channel names in order.
        layout: FFmpeg's name of the channel layout.
        depth: Depth of the samples, handed in and in the file; None for a lossy format, which
            takes 32-bit float.
        notes: Every change that is not the identity, in words.
    """

    format: OutputFormat
    bitrate_kbps: int | None
    rate_hz: int
    source_rate_hz: int
    channels: tuple[str, ...]
    layout: str
    depth: Depth | None
    notes: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether the samples handed in are integers."""
        return self.depth is not None and not self.depth.is_float

    @property
    def rendition(self) -> "Encoding | None":
        """The Opus file that a player reads in place of this one; None if it can read this one.

        AAC and MP3 cannot be cut into windows exactly: their frames overlap, and each decoder
        counts the start of the first one in its own way.
        """
        if self.format not in (OutputFormat.AAC, OutputFormat.MP3):
            return None
        return Encoding(
            format=OutputFormat.OPUS,
            bitrate_kbps=_RENDITION_KBPS * max(len(self.channels), 2) // 2,
            rate_hz=fit_rate(OutputFormat.OPUS, self.source_rate_hz, []),
            source_rate_hz=self.source_rate_hz,
            channels=self.channels,
            layout=self.layout,
            depth=None,
        )

    def as_json(self) -> dict[str, object]:
        """What decides the file's bytes, in a form that is the same in every run.

        The notes are for people and may be worded anew, so they are not in it.
        """
        return {
            "format": self.format.value,
            "bitrate_kbps": self.bitrate_kbps,
            "rate_hz": self.rate_hz,
            "source_rate_hz": self.source_rate_hz,
            "channels": list(self.channels),
            "layout": self.layout,
            "depth": None if self.depth is None else self.depth.value,
        }


def plan_encoding(
    output_format: OutputFormat,
    bitrate_kbps: int | None,
    recording: RecordingFormat,
    depth: Depth | None = None,
) -> Encoding:
    """Choose rate, channels, depth and bitrate of the stems of a recording.

    WAV and FLAC keep the recording's rate, channels and depth as far as they can; a lossy format
    gets the nearest rate that it has and that is not lower, or else its highest.

    Args:
        output_format: The format of the files.
        bitrate_kbps: Of the whole stream, in kbit/s; None for the format's default.
        recording: What the recording is.
        depth: Another depth than the recording's.

    Returns:
        The plan; its notes name all that differs from the recording.

    Raises:
        UnsupportedFormat: The format cannot hold the recording, or not in the way asked for.
    """
    notes: list[str] = []
    layout, channels = fit_layout(output_format, recording, notes)
    rate_hz = fit_rate(output_format, recording.rate_hz, notes)
    return Encoding(
        format=output_format,
        bitrate_kbps=fit_bitrate(output_format, bitrate_kbps, len(channels), rate_hz, notes),
        rate_hz=rate_hz,
        source_rate_hz=recording.rate_hz,
        channels=channels,
        layout=layout,
        depth=fit_depth(output_format, recording.depth, depth, notes),
        notes=tuple(notes),
    )
