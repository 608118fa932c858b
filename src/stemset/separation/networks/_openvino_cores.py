"""Networks of PyTorch as graphs of OpenVINO: all that stands between their transforms."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from stemset.catalogue.entry import ModelEntry
from stemset.errors import MissingDependency, NetworkFailed
from stemset.separation.networks import demucs, roformer
from stemset.separation.networks._torch_weights import load_weights

try:
    import openvino as ov
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from rotary_embedding_torch import RotaryEmbedding
except ImportError as error:
    raise MissingDependency(
        f"This version of OpenVINO, or of a network's library, is not one that fits ({error}). "
        "Without OpenVINO, PyTorch computes the networks: pip uninstall openvino"
    ) from error

# A RoFormer is general in time: a short piece shows its graph as well as a whole chunk.
_SHOWN_WINDOWS = 16


def htdemucs_graph(
    entry: ModelEntry, weights: Path, sources: Sequence[int], windows: int, bins: int
) -> ov.Model:
    """Make the graph of a Hybrid Transformer Demucs.

    Args:
        entry: The catalogue entry.
        weights: The network's file.
        sources: Which of the network's sources are wanted.
        windows: Windows of a chunk's transform.
        bins: Bins of a window that the network sees.

    Returns:
        From a spectrum ``(2, windows, bins, 2)``, real and imaginary, and the mix ``(1, 2,
        frames)`` to spectra ``(sources, 2, windows, bins, 2)`` and waveforms ``(sources, 2,
        frames)``.

    Raises:
        ModelCorrupt: The file does not hold the weights of the network.
        NetworkFailed: OpenVINO cannot express the network.
    """
    network = demucs.build(entry)
    load_weights(network, weights)
    spectrum = torch.randn(2, windows, bins, 2)
    mix = torch.randn(1, 2, entry.chunk_frames)
    core = _HTDemucsCore(network, sources)
    return _graph(core, (spectrum, mix), ((2, windows, bins, 2), (1, 2, entry.chunk_frames)))


def roformer_graph(entry: ModelEntry, weights: Path, windows: int, bins: int) -> ov.Model:
    """Make the graph of a RoFormer.

    Args:
        entry: The catalogue entry.
        weights: The network's file.
        windows: Windows of a chunk's transform.
        bins: Bins of a window.

    Returns:
        From a spectrum ``(2, windows, bins, 2)`` to its mask, of the same shape; both hold real
        and imaginary parts.

    Raises:
        ModelCorrupt: The file does not hold the weights of the network.
        NetworkFailed: OpenVINO cannot express the network.
    """
    network = roformer.build(entry)
    load_weights(network, weights)
    for module in network.modules():
        if isinstance(module, RotaryEmbedding):
            # What it keeps is as long as what it saw last, and would become a part of the graph.
            module.cache_if_possible = False
    shown = torch.randn(2, _SHOWN_WINDOWS, bins, 2)
    return _graph(_RoformerCore(network), (shown,), ((2, windows, bins, 2),))


class _HTDemucsCore(torch.nn.Module):
    """The library's own way through the network, without the transforms at its two ends."""

    def __init__(self, network: torch.nn.Module, sources: Sequence[int]) -> None:
        super().__init__()
        self._network = network
        self._sources = list(sources)
        # The library's transform is scaled to keep the energy.
        self._scale = cast("Any", network).nfft ** -0.5
        self._spectrum = self._spectra = torch.zeros(())
        for name, stand_in in {
            "_spec": lambda _mix: self._spectrum,
            "_magnitude": lambda spectrum: spectrum,
            "_mask": lambda _spectrum, spectra: spectra,
            "_ispec": self._take_spectra,
        }.items():
            setattr(network, name, stand_in)

    def forward(
        self, spectrum: torch.Tensor, mix: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        channels, windows, bins, parts = spectrum.shape
        merged = spectrum.permute(0, 3, 2, 1).reshape(1, channels * parts, bins, windows)
        self._spectrum = merged * self._scale
        waves = self._network(mix)[0, self._sources]
        spectra = self._spectra[0, self._sources] / self._scale
        shape = (len(self._sources), channels, parts, bins, windows)
        return spectra.reshape(shape).permute(0, 1, 4, 3, 2), waves

    def _take_spectra(self, spectra: torch.Tensor, *_args: object) -> torch.Tensor:
        self._spectra = spectra
        return torch.zeros(())


class _RoformerCore(torch.nn.Module):
    """From a spectrum to the mask of a network with one stem."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network: Any = network

    def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
        network = self._network
        channels, windows, bins, parts = spectrum.shape
        rows = spectrum.permute(2, 0, 1, 3).reshape(bins * channels, windows, parts)
        overlapping = hasattr(network, "freq_indices")
        seen = rows[network.freq_indices] if overlapping else rows
        x = network.band_split(seen.permute(1, 0, 2).reshape(1, windows, -1))
        bands, dim = x.shape[2:]
        for along_time, along_bands in network.layers:
            x = x.transpose(1, 2).reshape(bands, windows, dim)
            x = along_time(x).reshape(1, bands, windows, dim).transpose(1, 2)
            x = along_bands(x.reshape(windows, bands, dim)).reshape(1, windows, bands, dim)
        if hasattr(network, "final_norm"):
            x = network.final_norm(x)
        mask = network.mask_estimators[0](x).reshape(windows, -1, parts).transpose(0, 1)
        if overlapping:
            mask = torch.zeros_like(rows).index_add(0, network.freq_indices, mask)
            shared = network.num_bands_per_freq.repeat_interleave(channels)
            mask = mask / shared.clamp(min=1e-8)[:, None, None]
        return mask.reshape(bins, channels, windows, parts).permute(1, 2, 0, 3)


def _graph(
    core: torch.nn.Module,
    shown: tuple[torch.Tensor, ...],
    shapes: Sequence[tuple[int, ...]],
) -> ov.Model:
    """Follow an example through a core, and give its graph for inputs of fixed shapes.

    Raises:
        NetworkFailed: It holds what this version of OpenVINO, or of PyTorch, cannot express.
    """
    try:
        with torch.no_grad(), _traceable():
            traced = torch.jit.trace(core.eval(), shown, check_trace=False)
            decoder = TorchScriptPythonDecoder(traced, example_input=shown)
            frontend = FrontEndManager().load_by_framework("pytorch")
            graph = frontend.convert(frontend.load(decoder))
        graph.reshape(dict(enumerate(shapes)))
    except Exception as error:
        raise NetworkFailed(
            f"OpenVINO {ov.__version__} does not take the network over: {error} "
            "Without it, PyTorch computes the network: pip uninstall openvino"
        ) from error
    return graph


@contextmanager
def _traceable() -> Iterator[None]:
    """Keep PyTorch from shortcuts that cannot be followed, and quiet."""
    attention = torch.backends.mha
    before = attention.get_fastpath_enabled()
    attention.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        attention.set_fastpath_enabled(before)
