"""The networks: one small adapter a family."""

from collections.abc import Collection, Sequence

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.entry import Network as Family
from stemset.catalogue.weights import WeightsFile
from stemset.separation.network import Network
from stemset.separation.networks.libraries import computed_by_openvino


def load_network(
    entry: ModelEntry,
    weights: Sequence[WeightsFile],
    slots: Collection[str],
    *,
    threads: int,
    original_manner: bool = False,
    full_precision: bool = False,
) -> Network:
    """Load a model of the catalogue.

    Args:
        entry: The model.
        weights: Its verified files on disk.
        slots: The slots that are wanted; only these are computed.
        threads: How many threads the network may keep busy.
        original_manner: Compute exactly as the model's authors do, for comparison.
        full_precision: Compute everything in float32, also where half precision is faster.

    Raises:
        MissingDependency: The family's runtime is not installed.
        ModelCorrupt: The weights are not those of this network.
        NetworkFailed: The runtime does not load the file.
    """
    # A family's runtime is imported only when it is used.
    if computed_by_openvino(entry) and not original_manner:
        from stemset.separation.networks import openvino  # noqa: PLC0415

        return openvino.load(entry, weights, slots, threads=threads, full_precision=full_precision)
    if entry.network is Family.SPLEETER:
        from stemset.separation.networks.spleeter import Spleeter  # noqa: PLC0415

        (graph,) = weights
        return Spleeter(entry, graph.path, slots, threads=threads, original_manner=original_manner)
    if entry.network is Family.MDX_NET:
        from stemset.separation.networks.mdx import MdxNet  # noqa: PLC0415

        (graph,) = weights
        return MdxNet(entry, graph.path, slots, threads=threads)
    if entry.network in {Family.MEL_BAND_ROFORMER, Family.BS_ROFORMER}:
        from stemset.separation.networks.roformer import Roformer  # noqa: PLC0415

        return Roformer(entry, weights, slots, threads=threads, full_precision=full_precision)
    from stemset.separation.networks.demucs import Demucs  # noqa: PLC0415

    return Demucs(entry, weights, slots, threads=threads, full_precision=full_precision)
