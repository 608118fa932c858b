"""AAC in an MP4 file (``.m4a``), its index in front, made in one pass.

FFmpeg's muxer keeps 80 bytes for each packet until the end (12 MB for an hour, measured), and puts
the index in front only by writing the whole file twice. Here a packet costs 4 bytes, and room for
the index is kept at the start: its size is known when the recording's length is. Where that was
wrong, the index goes to the end, which every reader accepts.

The boxes are those of FFmpeg's ``ipod`` muxer, so players see nothing new. The edit list says to
the frame where the recording starts and ends; a reader that honours it plays exactly that, others
play up to 1,023 frames of silence after the end.
"""

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from stemset.audio._encoder import SampleEncoder
from stemset.audio._mp4_boxes import (
    PACKET_FRAMES,
    Movie,
    free_box,
    ftyp_box,
    mdat_header,
    moov_box,
)
from stemset.audio._plan import Encoding
from stemset.audio._sink import OutputFile

_FREE_HEADER_BYTES = 8
_BYTES_PER_PACKET = 4
# Room for so many packets more, and for one more of so many: a header may be a little wrong.
_SLACK = 64
# A day: a header may also lie.
_MAX_ROOM_S = 86_400
# What FFmpeg's encoder puts before the first frame; the first packet's time says it again.
_PRIMING_FRAMES = 1024


class M4aFile:
    """An AAC file."""

    def __init__(
        self,
        output: OutputFile,
        encoding: Encoding,
        tags: Mapping[str, str],
        expected_frames: int | None,
    ) -> None:
        """Write what stands before the audio.

        Args:
            output: The file.
            encoding: What is made.
            tags: Title, artist and so on.
            expected_frames: Length of the recording, None if nobody knows; it need not be right.
        """
        self._output = output
        self._encoding = encoding
        self._tags = tags
        self._encoder = SampleEncoder(encoding)
        self._frames = 0
        self._sizes = array("I")
        self._room = self._room_for(expected_frames)
        self._data_start = len(ftyp_box()) + self._room + len(mdat_header(0))
        self._output.write(ftyp_box() + free_box(self._room) + mdat_header(0))

    def write(self, samples: NDArray[np.generic]) -> None:
        """Encode and write a block of shape ``(channels, frames)``."""
        self._frames += samples.shape[1]
        self._write_packets(self._encoder.encode(samples))

    def finish(self) -> None:
        """Write the last packets and the index."""
        self._write_packets(self._encoder.finish())
        data_bytes = self._output.tell() - self._data_start
        moov = moov_box(
            self._movie(np.array(self._sizes, np.uint32), self._frames, self._data_start)
        )
        rest = self._room - len(moov)
        fits = rest == 0 or rest >= _FREE_HEADER_BYTES
        if not fits:
            self._output.write(moov)
        self._output.seek(len(ftyp_box()))
        self._output.write(moov + free_box(rest) if fits else free_box(self._room))
        self._output.write(mdat_header(data_bytes))

    def _write_packets(self, packets: Iterable[Packet]) -> None:
        packets = list(packets)
        self._sizes.extend(packet.size for packet in packets)
        self._output.write(b"".join(packets))

    def _room_for(self, frames: int | None) -> int:
        """Bytes to keep for the index of a recording; 0 if its length is unknown."""
        if frames is None:
            return 0
        frames = min(frames, _MAX_ROOM_S * self._encoding.rate_hz)
        packets = -(-(frames + _PRIMING_FRAMES) // PACKET_FRAMES)
        moov = moov_box(self._movie(np.zeros(packets, np.uint32), frames, 0))
        slack = packets // _SLACK + _SLACK
        return len(moov) + slack * _BYTES_PER_PACKET + _FREE_HEADER_BYTES

    def _movie(self, sizes: NDArray[np.uint32], frames: int, data_start: int) -> Movie:
        return Movie(
            rate_hz=self._encoding.rate_hz,
            channels=len(self._encoding.channels),
            bitrate_bps=1000 * (self._encoding.bitrate_kbps or 0),
            config=self._encoder.context.extradata or b"",
            tags=self._tags,
            frames=frames,
            priming_frames=_PRIMING_FRAMES,
            data_start=data_start,
            packet_bytes=sizes,
        )
