"""What the engine is told of a network by its catalogue entry."""

from collections.abc import Collection

from stemset.catalogue.entry import ModelEntry
from stemset.separation.network import Fade, LastChunk, Precision


class EntryNetwork:
    """What a network and its catalogue entry say alike; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        slots: Collection[str],
        *,
        fade: Fade,
        last_chunk: LastChunk,
        lead_frames: int = 0,
    ) -> None:
        """Take the facts over.

        Args:
            entry: The catalogue entry.
            slots: The slots that are wanted.
            fade: How chunks are joined.
            last_chunk: How the end of a stream is put into a chunk.
            lead_frames: Silence that the network wants before the first sample.
        """
        self.slots = tuple(slot for slot in entry.slots if slot in slots)
        self.rate_hz = entry.rate_hz
        self.chunk_frames = entry.chunk_frames
        self.overlap_frames = entry.overlap_frames
        self.fade = fade
        self.lead_frames = lead_frames
        self.last_chunk = last_chunk
        self.normalised = entry.normalised
        self.precision = Precision.FLOAT32
        self.batch = 1
