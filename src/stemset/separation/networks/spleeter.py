"""Spleeter: masks on the magnitudes of a short-time Fourier transform.

The transform stands here, outside the ONNX graph; the graph maps magnitudes of shape
``(batch, 2, 512, 1024)`` to the mask of the vocals. The accompaniment's mask is one minus it.

Source: Hennequin et al., "Spleeter", JOSS 5(50), 2020, doi:10.21105/joss.02154.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stemset.catalogue.entry import ModelEntry
from stemset.separation.network import Fade, LastChunk, Samples
from stemset.separation.networks._entry import EntryNetwork
from stemset.separation.networks._onnx import OnnxGraph
from stemset.separation.networks._stft import Spectrum, Stft

_WINDOW_FRAMES = 4096
_HOP_FRAMES = 1024
_BINS = _WINDOW_FRAMES // 2 + 1
_MASKED_BINS = 1024
# The mask above 11 kHz is the mean of the masks of the highest bins that the network sees.
_EXTENSION_BINS = 128
# In the original manner a chunk is what 512 windows cover; only their tails reach the next chunk.
_SEAMLESS_FRAMES = 511 * _HOP_FRAMES + _WINDOW_FRAMES
_SEAMLESS_OVERLAP = _WINDOW_FRAMES - _HOP_FRAMES


class Spleeter(EntryNetwork):
    """The 2-stem network; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        weights: Path,
        slots: Collection[str],
        *,
        threads: int,
        original_manner: bool = False,
    ) -> None:
        """Load the graph.

        Args:
            entry: The catalogue entry.
            weights: The ONNX file.
            slots: Those of ``vocals`` and ``accompaniment`` that are wanted.
            threads: Threads of the runtime.
            original_manner: As Spleeter does it: one transform of the whole recording, its
                windows masked 512 by 512 without overlap, nothing above 11 kHz in any stem.
        """
        super().__init__(
            entry,
            slots,
            fade=Fade.SUM if original_manner else Fade.RAISED_COSINE,
            last_chunk=LastChunk.AT_START,
            lead_frames=_WINDOW_FRAMES // 2 if original_manner else 0,
        )
        if original_manner:
            self.chunk_frames = _SEAMLESS_FRAMES
            self.overlap_frames = _SEAMLESS_OVERLAP
        self._original_manner = original_manner
        self._graph = OnnxGraph(weights, threads=threads)
        self.device = self._graph.device
        self.gpu_trouble = self._graph.gpu_trouble
        self._stft = Stft(
            self.chunk_frames,
            window_frames=_WINDOW_FRAMES,
            hop_frames=_HOP_FRAMES,
            before=0 if original_manner else _WINDOW_FRAMES // 2,
            even=original_manner,
        )
        # The two channels are transformed side by side.
        self._threads = ThreadPoolExecutor(min(threads, 2), "stemset-transform")

    def __call__(self, mix: Samples) -> Samples:
        """Separate chunks: ``(batch, 2, frames)`` to ``(batch, slots, 2, frames)``."""
        batch, channels, frames = mix.shape
        stems = np.empty((batch, len(self.slots), channels, frames), np.float32)
        for song, out in zip(mix, stems, strict=True):
            self._separate(song, out)
        return stems

    def _separate(self, mix: Samples, out: Samples) -> None:
        """Fill ``out`` of shape (slots, 2, frames) from one chunk of shape (2, frames)."""
        spectra = list(self._threads.map(self._stft.forward, mix))
        if self._original_manner:
            _drop_windows_beyond_the_end(mix, spectra)
        magnitude = np.stack([np.abs(spectrum[:, :_MASKED_BINS]) for spectrum in spectra])
        mask = self._graph.run({"magnitude": magnitude[np.newaxis]})[0]  # (2, T, 1024)
        for slot, stem in zip(self.slots, out, strict=True):
            slot_mask = mask if slot == "vocals" else 1 - mask
            list(self._threads.map(self._resynthesise, slot_mask, spectra, stem))

    def _resynthesise(self, mask: Samples, spectrum: Spectrum, out: Samples) -> None:
        """Fill ``out`` (frames,) from a spectrum (T, bins) and its mask (T, 1024)."""
        self._stft.inverse(self._apply(mask, spectrum), out=out)

    def _apply(self, mask: Samples, spectrum: Spectrum) -> Spectrum:
        """Multiply a spectrum (T, bins) by a mask (T, 1024) that is extended upwards."""
        masked = np.empty_like(spectrum)
        np.multiply(spectrum[:, :_MASKED_BINS], mask, out=masked[:, :_MASKED_BINS])
        if self._original_manner:
            masked[:, _MASKED_BINS:] = 0
        else:
            above = mask[:, -_EXTENSION_BINS:].mean(axis=1, keepdims=True)
            np.multiply(spectrum[:, _MASKED_BINS:], above, out=masked[:, _MASKED_BINS:])
        return masked


def _drop_windows_beyond_the_end(mix: Samples, spectra: list[Spectrum]) -> None:
    """Silence the windows centred beyond the last sample: the original has none there."""
    heard = np.flatnonzero(mix.any(axis=0))
    frames = heard[-1] + 1 if len(heard) else 0
    windows = max(frames - _WINDOW_FRAMES // 2, 0) // _HOP_FRAMES + 1
    for spectrum in spectra:
        spectrum[windows:] = 0
