"""The networks: one small adapter a family."""

from collections.abc import Collection
from pathlib import Path

from stemset.catalogue.entries import ModelEntry
from stemset.separation.network import Network


def load_network(
    entry: ModelEntry,
    weights: Path,
    slots: Collection[str],
    *,
    threads: int,
    original_manner: bool = False,
) -> Network:
    """Load a model of the catalogue.

    Args:
        entry: The model.
        weights: Its verified weights on disk.
        slots: The slots that are wanted; only these are computed.
        threads: How many threads the network may keep busy.
        original_manner: Compute exactly as the model's authors do, for comparison.

    Raises:
        NetworkFailed: The runtime does not load the file.
    """
    # One family so far; a family's runtime is imported only when it is used.
    from stemset.separation.networks.spleeter import Spleeter  # noqa: PLC0415

    return Spleeter(entry, weights, slots, threads=threads, original_manner=original_manner)


def best_device() -> str:
    """What networks compute on where the runtime has its way: ``cuda`` or ``cpu``."""
    from stemset.separation.networks import _onnx  # noqa: PLC0415

    return "cuda" if _onnx.CUDA in _onnx.providers() else "cpu"
