"""Mel-Band RoFormer and BS-RoFormer, with the networks of the package ``BS-RoFormer``.

They mask the spectrum of the mix, and estimate one stem. Their transform has a hop of 441 frames,
of which the chunks must be multiples: what is left of one is lost.

Sources: Lu, Wang, Kong, Hung, "Music source separation with band-split RoPE transformer", 2023,
arXiv:2309.02612; Wang, Lu, Won, "Mel-band RoFormer for music source separation", 2023,
arXiv:2310.01809.
"""

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.entry import Network as Family
from stemset.catalogue.weights import WeightsFile
from stemset.errors import MissingDependency
from stemset.separation.network import LastChunk
from stemset.separation.networks.libraries import HOW_TO_INSTALL

try:
    import torch
    from bs_roformer import BSRoformer, MelBandRoformer
    from bs_roformer.attend import Attend

    from stemset.separation.networks._torch import TorchNetwork
    from stemset.separation.networks._torch_weights import load_weights
except ImportError as error:
    raise MissingDependency(
        "This model needs PyTorch and BS-RoFormer, and one of them is not installed "
        f"({error}). Install them with: {HOW_TO_INSTALL}"
    ) from error


@dataclass(frozen=True, slots=True)
class Size:
    """What the two networks differ in.

    Attributes:
        dim: Length of the vector that stands for one band at one time.
        depth: Pairs of transformers, one along time and one along the bands.
    """

    dim: int
    depth: int


# Source: the configurations that were published with the checkpoints, in the repository
# ZFTurbo/Music-Source-Separation-Training: configs/KimberleyJensen and configs/viperx. The networks
# that they make have the published checkpoints' keys and shapes.
SIZES: dict[Family, Size] = {
    Family.MEL_BAND_ROFORMER: Size(dim=384, depth=6),
    Family.BS_ROFORMER: Size(dim=512, depth=12),
}
_SETTINGS: Mapping[str, Any] = {
    "stereo": True,
    "num_stems": 1,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "dim_head": 64,
    "heads": 8,
    "stft_n_fft": 2048,
    "stft_hop_length": 441,
    "stft_win_length": 2048,
    "mask_estimator_depth": 2,
    # Its fast attention says on standard output which GPU it found, and calls what torch has
    # deprecated; build() puts torch's own in its place.
    "flash_attn": False,
}


class Roformer(TorchNetwork):
    """A model of one network; see ``Network``."""

    def __init__(
        self,
        entry: ModelEntry,
        weights: Sequence[WeightsFile],
        slots: Collection[str],
        *,
        threads: int,
        full_precision: bool = False,
    ) -> None:
        """Build and load the network.

        Args:
            entry: The catalogue entry.
            weights: The network's file.
            slots: The slots that are wanted.
            threads: Threads of the runtime.
            full_precision: Compute everything in float32.

        Raises:
            ModelCorrupt: The file does not hold the weights of the network.
            NetworkFailed: The GPU does not take the network.
        """
        super().__init__(
            entry, slots, LastChunk.CENTRED, threads=threads, full_precision=full_precision
        )
        (file,) = weights
        network = build(entry)
        load_weights(network, file.path)
        self._network = self._place(network)
        self._choose_batch()

    def _forward(self, chunks: torch.Tensor) -> torch.Tensor:
        return self._network(chunks)[:, None]


def build(entry: ModelEntry) -> torch.nn.Module:
    """Make the network of a model, with random weights, ready to infer.

    Args:
        entry: A model of one of these families.
    """
    size = SIZES[entry.network]
    family = MelBandRoformer if entry.network is Family.MEL_BAND_ROFORMER else BSRoformer
    with warnings.catch_warnings():
        # The library counts its bins with a transform that has no window.
        warnings.filterwarnings("ignore", "A window was not provided", UserWarning)
        network: torch.nn.Module = family(size.dim, depth=size.depth, **_SETTINGS)
    for module in network.modules():
        if isinstance(getattr(module, "attend", None), Attend):
            module.attend = _Attention()
    # Whatever the precision, what all layers add to is float32 (BS-RoFormer is 6 dB better so), and
    # so are the masks: the spectrum that they scale is complex.
    estimators = cast("Iterable[torch.nn.Module]", network.mask_estimators)
    for part in (cast("torch.nn.Module", network.band_split), *estimators):
        part.register_forward_hook(lambda _part, _args, result: result.float())
    return network.eval().requires_grad_(requires_grad=False)


class _Attention(torch.nn.Module):
    """Scaled dot-product attention without a matrix of all pairs.

    Over the 801 steps of a chunk that would take 1.2 GB.
    """

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend: three times ``(batch, heads, steps, 64)`` to the same shape."""
        return torch.nn.functional.scaled_dot_product_attention(query, key, value)
