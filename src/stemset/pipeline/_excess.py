"""What samples have beyond full scale, kept beside the stems until it is known how loud they get.

A stem's file holds its samples clipped. Its excess file holds, for every clipped sample, how far it
went beyond: both together are the stem as it was computed. Rows follow each other in time, 16 bytes
each::

    int64   frame × channels + channel
    int64   what was cut off, in steps of the file's depth
"""

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from stemset.audio.files import writing
from stemset.separation.closing import Block

_ROW = np.dtype([("at", "<i8"), ("excess", "<i8")])
_ROWS_AT_A_TIME = 1 << 14


class ExcessFiles:
    """Writes them, in a folder that is made when the first sample goes beyond full scale."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written yet."""
        self.folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self.folder):
            self._open.close()

    def keep(self, stem: str, frame: int, excess: Block) -> None:
        """Write down what was cut off.

        Args:
            stem: Name of the stem.
            frame: The first frame; later ones than those of the calls before.
            excess: Shape ``(channels, frames)``; 0 where nothing was cut off.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: The file cannot be written.
        """
        frames, channels = excess.T.nonzero()
        rows = np.empty(frames.size, _ROW)
        rows["at"] = (frame + frames) * excess.shape[0] + channels
        rows["excess"] = excess.T[frames, channels]
        with writing(self.folder):
            self._file(stem).write(rows.tobytes())

    def of(self, stem: str) -> "Excess":
        """A stem's excess, to be read once everything is written."""
        return Excess(self._path(stem))

    def _file(self, stem: str) -> BinaryIO:
        if stem not in self._files:
            self.folder.mkdir(exist_ok=True)
            self._files[stem] = self._open.enter_context(self._path(stem).open("wb"))
        return self._files[stem]

    def _path(self, stem: str) -> Path:
        return self.folder / f"{stem}.excess"


class Excess:
    """Gives one stem's excess back, from its begin to its end."""

    def __init__(self, path: Path) -> None:
        """A stem that was never clipped has no file."""
        self._path = path
        self._rows_read = 0
        self._waiting = np.empty(0, _ROW)
        self._frames = 0

    def add_to(self, block: NDArray[np.float64], step: float) -> None:
        """Make the stem's next frames what they were.

        Args:
            block: Shape ``(channels, frames)``; changed.
            step: A step of the file's depth, full scale is 1.
        """
        channels, frames = block.shape
        begin, end = self._frames * channels, (self._frames + frames) * channels
        self._frames += frames
        while self._fill():
            count = int(np.searchsorted(self._waiting["at"], end))
            rows, self._waiting = self._waiting[:count], self._waiting[count:]
            frame, channel = np.divmod(rows["at"] - begin, channels)
            block[channel, frame] += rows["excess"] * step
            if self._waiting.size:
                return

    def _fill(self) -> bool:
        """Read on if nothing waits; whether anything does then."""
        if not self._waiting.size and self._path.exists():
            offset = self._rows_read * _ROW.itemsize
            self._waiting = np.fromfile(self._path, _ROW, _ROWS_AT_A_TIME, offset=offset)
            self._rows_read += self._waiting.size
        return bool(self._waiting.size)
