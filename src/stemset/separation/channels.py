"""A recording's channels as the stereo lanes that networks see, and back."""

from collections.abc import Iterator

import numpy as np

from stemset.separation.network import Samples

# FFmpeg's names of the channels that have a partner on the other side.
_LEFT_TO_RIGHT = {
    "FL": "FR",
    "FLC": "FRC",
    "BL": "BR",
    "SL": "SR",
    "SSL": "SSR",
    "WL": "WR",
    "DL": "DR",
    "SDL": "SDR",
    "TFL": "TFR",
    "TSL": "TSR",
    "TBL": "TBR",
    "TTL": "TTR",
    "BFL": "BFR",
}
_SINGLE = {"FC", "BC", "TC", "TFC", "TBC", "BFC"}
_LOW_FREQUENCY = {"LFE", "LFE2"}
_PLACED = {*_LEFT_TO_RIGHT, *_LEFT_TO_RIGHT.values(), *_SINGLE, *_LOW_FREQUENCY}


class ChannelMap:
    """How channels become lanes.

    Left and right partners are one lane; a channel without a partner is doubled; channels without
    a known place are paired in order. LFE passes no network: it is silent in every stem but the
    one that takes what the others leave.
    """

    def __init__(self, channels: tuple[str, ...]) -> None:
        """Lay out the lanes of these channels, named as FFmpeg names them."""
        self._count = len(channels)
        self.pairs = tuple(_pairs(channels))
        self._index = np.array(self.pairs, np.intp).reshape(-1, 2)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return len(self.pairs)

    def split(self, block: Samples) -> Samples:
        """Turn channels ``(channels, frames)`` into lanes ``(lanes, 2, frames)``."""
        return block[self._index]

    def join(self, lanes: Samples) -> Samples:
        """Turn lanes ``(lanes, 2, frames)`` into channels ``(channels, frames)``."""
        block = np.zeros((self._count, lanes.shape[-1]), np.float32)
        for (left, right), lane in zip(self.pairs, lanes, strict=True):
            if left == right:
                np.add(lane[0], lane[1], out=block[left])
                block[left] *= 0.5
            else:
                block[left] = lane[0]
                block[right] = lane[1]
        return block


def _pairs(channels: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    rest = {name: index for index, name in enumerate(channels) if name in _PLACED}
    unplaced = [index for index, name in enumerate(channels) if name not in _PLACED]
    for name in [name for name in channels if name in rest]:
        index = rest.pop(name, None)
        if index is None or name in _LOW_FREQUENCY:
            continue
        yield index, rest.pop(_LEFT_TO_RIGHT.get(name, ""), index)
    for position in range(0, len(unplaced), 2):
        pair = unplaced[position : position + 2]
        yield pair[0], pair[-1]
