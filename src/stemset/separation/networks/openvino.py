"""Hybrid Transformer Demucs and the RoFormers on OpenVINO, with their transforms in NumPy.

The networks are those of ``demucs`` and ``roformer``; it is OpenVINO that computes them. Their
sources are given there.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.entry import Network as Family
from stemset.catalogue.weights import WeightsFile
from stemset.separation.network import Fade, LastChunk, Samples
from stemset.separation.networks._entry import EntryNetwork
from stemset.separation.networks._openvino import OpenVinoGraph, fast_precision, load_graph
from stemset.separation.networks._stft import Spectrum, Stft
from stemset.separation.networks.gpu import CPU

if TYPE_CHECKING:
    import openvino as ov

_HTDEMUCS_WINDOW_FRAMES = 4096
_HTDEMUCS_HOP_FRAMES = 1024
_HTDEMUCS_BINS = 2048  # the highest one is left out
_ROFORMER_WINDOW_FRAMES = 2048
_ROFORMER_HOP_FRAMES = 441
_ROFORMER_BINS = 1025


def load(
    entry: ModelEntry,
    weights: Sequence[WeightsFile],
    slots: Collection[str],
    *,
    threads: int,
    full_precision: bool,
) -> "OpenVinoNetwork":
    """Load a model of one of these families.

    Args:
        entry: The catalogue entry.
        weights: The networks' files.
        slots: The slots that are wanted.
        threads: Threads of the runtime.
        full_precision: Compute everything in float32.

    Raises:
        MissingDependency: A graph is to be made, and what makes it is not installed.
        ModelCorrupt: A file does not hold the weights of its network.
        NetworkFailed: A graph cannot be made, or the runtime does not load it.
    """
    family = HTDemucsGraphs if entry.network is Family.HTDEMUCS else RoformerGraph
    return family(entry, weights, slots, threads=threads, full_precision=full_precision)


class OpenVinoNetwork(EntryNetwork, ABC):
    """What the networks have in common; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        weights: Sequence[WeightsFile],
        slots: Collection[str],
        *,
        threads: int,
        full_precision: bool,
    ) -> None:
        """Load the graphs, and make those that are not there.

        Arguments and errors are those of ``load``.
        """
        super().__init__(entry, slots, fade=Fade.LINEAR, last_chunk=LastChunk.CENTRED)
        self.device = CPU
        self.gpu_trouble: str | None = None
        # bfloat16 has the range of float32: bursts in silence stay whole (measured: 45 dB).
        if not full_precision:
            self.precision = fast_precision()
        self._threads = threads
        # The signals of a chunk are transformed side by side.
        self._transforms = ThreadPoolExecutor(threads, "stemset-transform")
        self._take(entry, weights)

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks: ``(batch, 2, frames)`` to ``(batch, slots, 2, frames)``."""
        batch, channels, frames = mix.shape
        stems = np.empty((batch, len(self.slots), channels, frames), np.float32)
        for song, out in zip(mix, stems, strict=True):
            self._separate(song, out)
        return stems

    @abstractmethod
    def _take(self, entry: ModelEntry, weights: Sequence[WeightsFile]) -> None:
        """Load what computes the slots that are wanted."""

    @abstractmethod
    def _separate(self, mix: Samples, out: Samples) -> None:
        """Fill ``out`` of shape (slots, 2, frames) from one chunk of shape (2, frames)."""

    def _load(self, weights: Path, make: "Callable[[], ov.Model]") -> OpenVinoGraph:
        return load_graph(weights, make, threads=self._threads, precision=self.precision)


@dataclass(frozen=True, slots=True)
class _Member:
    """One network of a model.

    Attributes:
        graph: Gives the slots that the model takes from this network.
        places: Where they stand among the slots that are wanted, None for one that is not.
    """

    graph: OpenVinoGraph
    places: tuple[int | None, ...]


class HTDemucsGraphs(OpenVinoNetwork):
    """Hybrid Transformer Demucs: one network, or one for each slot; see ``Network``."""

    def _take(self, entry: ModelEntry, weights: Sequence[WeightsFile]) -> None:
        # As the library does it: windows begin one and a half hops before the signal, and those
        # beyond its ends are silent.
        margin = _HTDEMUCS_HOP_FRAMES // 2 * 3
        filled = -self.chunk_frames % _HTDEMUCS_HOP_FRAMES
        self._stft = Stft(
            self.chunk_frames,
            window_frames=_HTDEMUCS_WINDOW_FRAMES,
            hop_frames=_HTDEMUCS_HOP_FRAMES,
            before=margin,
            after=margin + filled,
            mode="reflect",
            even=True,
        )
        self._members = [self._member(entry, file) for file in weights]

    def _member(self, entry: ModelEntry, file: WeightsFile) -> _Member:
        def make() -> "ov.Model":
            from stemset.separation.networks._openvino_cores import htdemucs_graph  # noqa: PLC0415

            sources = [entry.slots.index(slot) for slot in file.slots]
            return htdemucs_graph(entry, file.path, sources, self._stft.windows, _HTDEMUCS_BINS)

        places = tuple(
            self.slots.index(slot) if slot in self.slots else None for slot in file.slots
        )
        return _Member(self._load(file.path, make), places)

    def _separate(self, mix: Samples, out: Samples) -> None:
        spectra = self._transforms.map(self._stft.forward, mix)
        spectrum = _parts(np.stack([channel[:, :_HTDEMUCS_BINS] for channel in spectra]))
        for member in self._members:
            estimates, waves = member.graph(spectrum, mix[np.newaxis])
            for place, estimate, wave in zip(member.places, estimates, waves, strict=True):
                if place is not None:
                    list(self._transforms.map(self._resynthesise, estimate, wave, out[place]))

    def _resynthesise(self, estimate: Samples, wave: Samples, out: Samples) -> None:
        """Fill ``out`` (frames,) from a spectrum (windows, bins, 2) and what comes on top."""
        self._stft.inverse(_complex(estimate), out=out)
        out += wave


class RoformerGraph(OpenVinoNetwork):
    """A RoFormer of one stem; see ``Network``."""

    def _take(self, entry: ModelEntry, weights: Sequence[WeightsFile]) -> None:
        self._stft = Stft(
            self.chunk_frames,
            window_frames=_ROFORMER_WINDOW_FRAMES,
            hop_frames=_ROFORMER_HOP_FRAMES,
            before=_ROFORMER_WINDOW_FRAMES // 2,
            mode="reflect",
        )
        (file,) = weights

        def make() -> "ov.Model":
            from stemset.separation.networks._openvino_cores import roformer_graph  # noqa: PLC0415

            return roformer_graph(entry, file.path, self._stft.windows, _ROFORMER_BINS)

        self._graph = self._load(file.path, make)

    def _separate(self, mix: Samples, out: Samples) -> None:
        spectrum = np.stack(list(self._transforms.map(self._stft.forward, mix)))
        (mask,) = self._graph(_parts(spectrum))
        list(self._transforms.map(self._resynthesise, spectrum, mask, out[0]))

    def _resynthesise(self, spectrum: Spectrum, mask: Samples, out: Samples) -> None:
        """Fill ``out`` (frames,) from a spectrum (windows, bins) and its mask (.., .., 2)."""
        self._stft.inverse(spectrum * _complex(mask), out=out)


def _parts(spectrum: Spectrum) -> Samples:
    """Real and imaginary parts of any spectrum, along a further axis."""
    return np.ascontiguousarray(spectrum).view(np.float32).reshape(*spectrum.shape, 2)


def _complex(parts: Samples) -> Spectrum:
    """The spectrum that has these parts (..., 2)."""
    return parts.view(np.complex64)[..., 0]
