"""MDX-Net: one instrument's spectrum from the spectrum of the mix, by an ONNX graph.

The transform stands here, outside the graph, which maps ``(batch, 4, bins, windows)`` to the same:
real part and imaginary part of the left channel, then of the right one. Bins above those that the
graph sees are silent in the result.

Close to its borders a chunk's result is poor: the transform mirrors the chunk there. The original
cuts half a window off and joins what is left. Here the fade leaves as much out, and weights what
a mirrored window still reaches, up to a window from the border, with 1 % at most
(``catalogue/_mdx_entries.py``). Silence stands before the first sample in both.

Sources: Kim, Choi, Chung, Lee, Jung, "KUIELab-MDX-Net: a two-stream neural network for music
demixing", 2021, arXiv:2111.12203; kuielab/mdx-net, ``src/models/mdxnet.py`` and
``src/evaluation/separate.py``.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemset.catalogue.entry import ModelEntry
from stemset.errors import ModelCorrupt, NetworkFailed
from stemset.separation.network import Fade, LastChunk, Samples
from stemset.separation.networks._entry import EntryNetwork
from stemset.separation.networks._onnx import OnnxGraph
from stemset.separation.networks._stft import Stft

_HOP_FRAMES = 1024
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Size:
    """What the models differ in.

    Attributes:
        window_frames: Length of a window of the transform.
        bins: How many of its bins the graph sees, from the lowest.
        windows: How many windows it sees at once.
        compensation: What its result is multiplied by: it is too quiet on average.
    """

    window_frames: int
    bins: int
    windows: int
    compensation: float


# Source: model_data.json of Ultimate Vocal Remover, which knows the files by the MD5 of their end:
# 4910e7827f335048bdac11fa967772f9 (drums) and 6703e39f36f18aa7855ee1047765621d (bass).
SIZES: dict[str, Size] = {
    "kuielab_b_drums": Size(window_frames=4096, bins=2048, windows=128, compensation=1.035),
    "kuielab_a_bass": Size(window_frames=16_384, bins=2048, windows=512, compensation=1.035),
}


class MdxNet(EntryNetwork):
    """A model of one graph; see ``Network``."""

    def __init__(
        self, entry: ModelEntry, weights: Path, slots: Collection[str], *, threads: int
    ) -> None:
        """Load the graph.

        Args:
            entry: The catalogue entry.
            weights: The ONNX file.
            slots: The slots that are wanted.
            threads: Threads of the runtime.

        Raises:
            ModelCorrupt: The graph takes something else than this model's spectra.
            NetworkFailed: The runtime does not load the file.
        """
        self._size = SIZES[entry.name]
        super().__init__(
            entry,
            slots,
            fade=Fade.RAISED_COSINE,
            last_chunk=LastChunk.AT_START,
            lead_frames=self._size.window_frames // 2,
        )
        self._graph = OnnxGraph(weights, threads=threads)
        self._input = self._input_name(weights)
        self.device = self._graph.device
        self.gpu_trouble = self._graph.gpu_trouble
        self._stft = Stft(
            self.chunk_frames,
            window_frames=self._size.window_frames,
            hop_frames=_HOP_FRAMES,
            before=self._size.window_frames // 2,
            mode="reflect",
        )
        # The two channels are transformed side by side.
        self._threads = ThreadPoolExecutor(min(threads, 2), "stemset-transform")

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks: ``(batch, 2, frames)`` to ``(batch, 1, 2, frames)``."""
        stems = np.empty_like(mix)
        for song, out in zip(mix, stems, strict=True):
            self._separate(song, out)
        return stems[:, np.newaxis]

    def _input_name(self, weights: Path) -> str:
        """What the graph calls its input, once that is known to be a spectrum of our shape."""
        wanted = (_PARTS, self._size.bins, self._size.windows)
        inputs = self._graph.inputs
        if len(inputs) == 1:
            ((name, shape),) = inputs.items()
            if shape[1:] == wanted:
                return name
        raise ModelCorrupt(
            f"{weights.name} holds another network: it takes {inputs}, "
            f"and this model's takes (batch, {', '.join(map(str, wanted))})."
        )

    def _separate(self, mix: Samples, out: Samples) -> None:
        """Fill ``out`` of shape (2, frames) from one chunk of the same shape."""
        parts = np.empty((1, _PARTS, self._size.bins, self._size.windows), np.float32)
        list(self._threads.map(self._analyse, mix, parts.reshape(2, 2, *parts.shape[2:])))
        found = self._graph.run({self._input: parts})
        if found.shape != parts.shape:
            raise NetworkFailed(
                f"The network answered with an array of shape {found.shape}, "
                f"and {parts.shape} is wanted."
            )
        list(self._threads.map(self._resynthesise, found.reshape(2, 2, *parts.shape[2:]), out))

    def _analyse(self, signal: Samples, parts: Samples) -> None:
        """Fill ``parts`` (2, bins, T) with what the graph sees of a signal (frames,)."""
        spectrum = self._stft.forward(signal)[:, : self._size.bins].T
        parts[0] = spectrum.real
        parts[1] = spectrum.imag

    def _resynthesise(self, parts: Samples, out: Samples) -> None:
        """Fill ``out`` (frames,) from real and imaginary parts (2, bins, T)."""
        spectrum = np.zeros((self._size.windows, self._size.window_frames // 2 + 1), np.complex64)
        spectrum.real[:, : self._size.bins] = parts[0].T
        spectrum.imag[:, : self._size.bins] = parts[1].T
        self._stft.inverse(spectrum, out=out)
        out *= self._size.compensation
