"""Files that FFmpeg's own muxers write: WAV, MP3 and Opus in Ogg."""

from collections.abc import Mapping

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from stemset.audio._encoder import SampleEncoder, codec_of
from stemset.audio._ogg_index import OggIndex
from stemset.audio._plan import Encoding
from stemset.audio._sink import OutputFile
from stemset.audio.formats import OutputFormat

_BUFFER_BYTES = 1 << 18
_MUXERS = {OutputFormat.WAV: "wav", OutputFormat.MP3: "mp3", OutputFormat.OPUS: "ogg"}
# No random number, no time of day and no version of a library gets into the file.
_REPRODUCIBLE = {"fflags": "+bitexact"}

_PACKET_US = 20_000
_PAGE_US = 1_000_000
_PAGE_SEGMENTS = 255
_SEGMENT_BYTES = 255
# Opus has a variable bitrate; a second of dense music takes up to this much more than the mean.
_PEAK_TO_MEAN = 1.5


class MuxedFile:
    """A WAV, MP3 or Ogg Opus file.

    Attributes:
        index: The pages of an Ogg file; None for the others.
    """

    def __init__(
        self,
        output: OutputFile,
        encoding: Encoding,
        tags: Mapping[str, str],
        *,
        rf64: str = "auto",
    ) -> None:
        """Write the header.

        Args:
            output: The file.
            encoding: What is made.
            tags: Title, artist and so on.
            rf64: FFmpeg's option of this name, for WAV: ``auto`` keeps room in the header and
                makes an RF64 file of one that grows over 4 GiB.
        """
        self.index: OggIndex | None = None
        self._is_mp3 = encoding.format is OutputFormat.MP3
        options = dict(_REPRODUCIBLE)
        if encoding.format is OutputFormat.OPUS:
            self.index = OggIndex()
            output.watch = self.index.feed
            options["page_duration"] = str(_page_us(encoding))
        elif encoding.format is OutputFormat.WAV:
            options["rf64"] = rf64
        self._container = av.open(
            output,
            "w",
            format=_MUXERS[encoding.format],
            container_options=options,
            buffer_size=_BUFFER_BYTES,
        )
        stream = self._container.add_stream(codec_of(encoding).name, rate=encoding.rate_hz)
        self._encoder = SampleEncoder(encoding, stream.codec_context)
        self._container.metadata.update(tags)
        self._container.start_encoding()

    def write(self, samples: NDArray[np.generic]) -> None:
        """Encode and write a block of shape ``(channels, frames)``."""
        self._container.mux(self._encoder.encode(samples))

    def finish(self) -> None:
        """Write what the encoder still holds, and complete the header."""
        packets = self._encoder.finish()
        if self._is_mp3:
            packets = _without_excess(packets, self._encoder.context.frame_size)
        self._container.mux(packets)
        self._container.close()


def _without_excess(packets: list[Packet], packet_frames: int) -> list[Packet]:
    """The last packets, less one that holds nothing of the recording.

    libmp3lame adds such a one where a recording ends in the first 46 frames of a packet. FFmpeg
    tells players only the last packet's padding, so up to 46 frames of silence would be taken for
    music. A recording of less than 47 frames keeps it: FFmpeg takes no file of one packet for MP3.
    """
    match packets:
        case [*_, before, last] if last.duration == 0:
            is_first = before.pts is None or before.pts < 0
            is_partly_padding = (before.duration or 0) < packet_frames
            return packets if is_first or not is_partly_padding else packets[:-1]
    return packets


def _page_us(encoding: Encoding) -> int:
    """How long a page shall be: a second, or less if one could not hold that in whole packets."""
    packet_bytes = (encoding.bitrate_kbps or 0) * 1000 // 8 * _PACKET_US / 1_000_000
    segments = _PEAK_TO_MEAN * packet_bytes / _SEGMENT_BYTES + 1
    return min(_PAGE_US, int(_PAGE_SEGMENTS / segments) * _PACKET_US)
