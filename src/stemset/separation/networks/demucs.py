"""Hybrid Demucs and Hybrid Transformer Demucs, with the networks of the package ``demucs``.

Sources: Défossez, "Hybrid spectrogram and waveform source separation", 2021, arXiv:2111.03600;
Rouard, Massa, Défossez, "Hybrid Transformers for music source separation", 2023, arXiv:2211.08553.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.entry import Network as Family
from stemset.catalogue.weights import WeightsFile
from stemset.errors import MissingDependency
from stemset.separation.network import LastChunk
from stemset.separation.networks.libraries import HOW_TO_INSTALL

try:
    import torch
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs
except ImportError as error:
    raise MissingDependency(
        "This model needs PyTorch and demucs, and one of them is not installed "
        f"({error}). Install them with: {HOW_TO_INSTALL}"
    ) from error

from stemset.separation.networks._torch import TorchNetwork
from stemset.separation.networks._torch_weights import load_weights

# Source: the arguments that stand in the published checkpoints. The networks that they make have
# the published checkpoints' keys and shapes.
_HTDEMUCS: Mapping[str, Any] = {
    "samplerate": 44_100,
    "segment": Fraction(39, 5),
    "channels": 48,
    "growth": 2,
    "nfft": 4096,
    "cac": True,
    "depth": 4,
    "rewrite": True,
    "dconv_mode": 3,
    "dconv_depth": 2,
    "dconv_comp": 8,
    "t_layers": 5,
    "t_heads": 8,
    "t_hidden_scale": 4.0,
}
_BOTTOM_CHANNELS = {"htdemucs_6s": 0}
_USUAL_BOTTOM_CHANNELS = 512
_HDEMUCS: Mapping[str, Any] = {"samplerate": 44_100, "segment": 44}


@dataclass(frozen=True, slots=True)
class _Member:
    """One network of a model.

    Attributes:
        network: ``(batch, 2, frames)`` to ``(batch, sources, 2, frames)``.
        places: Where a wanted slot stands in the result, and among the network's sources.
    """

    network: torch.nn.Module
    places: tuple[tuple[int, int], ...]


class Demucs(TorchNetwork):
    """A model of one network, or of one for each slot; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        weights: Sequence[WeightsFile],
        slots: Collection[str],
        *,
        threads: int,
        full_precision: bool = False,
    ) -> None:
        """Build and load the networks that give a wanted slot.

        Args:
            entry: The catalogue entry.
            weights: The networks' files.
            slots: The slots that are wanted.
            threads: Threads of the runtime.
            full_precision: Compute everything in float32.

        Raises:
            ModelCorrupt: A file does not hold the weights of its network.
            NetworkFailed: The GPU does not take the networks.
        """
        is_hybrid = entry.network is Family.HDEMUCS
        last_chunk = LastChunk.SHORT if is_hybrid else LastChunk.CENTRED
        super().__init__(entry, slots, last_chunk, threads=threads, full_precision=full_precision)
        self._members = [self._member(entry, file) for file in weights]
        self._choose_batch()

    def _forward(self, chunks: torch.Tensor) -> torch.Tensor:
        batch, channels, frames = chunks.shape
        stems = chunks.new_empty((batch, len(self.slots), channels, frames))
        for member in self._members:
            sources = member.network(chunks)
            for slot, source in member.places:
                stems[:, slot] = sources[:, source]
        return stems

    def _member(self, entry: ModelEntry, file: WeightsFile) -> _Member:
        network = build(entry)
        load_weights(network, file.path)
        places = tuple(
            (place, entry.slots.index(slot))
            for place, slot in enumerate(self.slots)
            if slot in file.slots
        )
        return _Member(self._place(network), places)


def build(entry: ModelEntry) -> torch.nn.Module:
    """Make one network of a model, with random weights, ready to infer.

    Args:
        entry: A model of one of these families.
    """
    sources = list(entry.slots)
    if entry.network is Family.HDEMUCS:
        network = HDemucs(sources, **_HDEMUCS)
    else:
        bottom_channels = _BOTTOM_CHANNELS.get(entry.name, _USUAL_BOTTOM_CHANNELS)
        network = HTDemucs(sources, **_HTDEMUCS, bottom_channels=bottom_channels)
    return network.eval().requires_grad_(requires_grad=False)
