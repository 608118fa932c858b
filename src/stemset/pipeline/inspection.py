"""What a computing process works with: its scratch folder, its models, what computes, how fast.

Each is tried as an order would use it, and fails with the error that the order would end with.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from stemset.audio.files import writing
from stemset.catalogue.entries import check_licence, find
from stemset.catalogue.strategies import every_slot
from stemset.catalogue.weights import load_files
from stemset.errors import NetworkFailed, StemsetError
from stemset.orders.checks import Inspect, Inspected
from stemset.orders.messages import Failure
from stemset.pipeline._scratch import own_scratch
from stemset.pipeline.attempt import Bench
from stemset.pipeline.networks import Networks
from stemset.separation.network import Network, Samples
from stemset.separation.networks.gpu import CPU, gpu_is_here
from stemset.separation.signals import plan_signals

Seen = TypeVar("Seen")

_WARM_WITHIN_S = 5.0


def inspect(wanted: Inspect, bench: Bench) -> Inspected:
    """Look at everything.

    Args:
        wanted: What to look at.
        bench: What this process has.
    """
    free_bytes, scratch_error = _tried(lambda: _scratch_free_bytes(bench.scratch))
    _, models_error = _tried(lambda: _check_models(wanted.models, bench))
    speed, computing_error = None, None
    if wanted.models and models_error is None:
        speed, computing_error = _tried(lambda: _measure(wanted.models[0], bench.networks))
    return Inspected(
        seq=wanted.seq,
        device=bench.networks.device,
        scratch_free_bytes=free_bytes,
        scratch_error=scratch_error,
        models_error=models_error,
        measured=wanted.models[0] if speed else None,
        times_realtime=speed,
        computing_error=computing_error,
    )


def times_realtime(network: Network) -> float:
    """Measure how many seconds of audio a network computes in a second, on a chunk of noise.

    The first run, in which runtimes prepare what they need, counts only if it took long.
    """
    noise = np.random.default_rng(0).standard_normal((1, 2, network.chunk_frames))
    chunk = (0.1 * noise).astype(np.float32)
    spent_s = _time(network, chunk)
    if spent_s < _WARM_WITHIN_S:
        spent_s = _time(network, chunk)
    return network.chunk_frames / network.rate_hz / spent_s


def _time(network: Network, chunk: Samples) -> float:
    begun = time.perf_counter()
    network(chunk)
    return time.perf_counter() - begun


def _tried(look: Callable[[], Seen]) -> tuple[Seen | None, Failure | None]:
    try:
        return look(), None
    except StemsetError as error:
        return None, Failure.of(error)


def _scratch_free_bytes(parent: str | None) -> int:
    """Write where attempts keep what is in the making. Raises NoSpace, OutputUnwritable."""
    with own_scratch(parent) as folder, writing(folder):
        (folder / "trial").write_bytes(b"x")
        return shutil.disk_usage(folder).free


def _check_models(models: Sequence[str], bench: Bench) -> None:
    """Verify the weights of models. Raises ModelError."""
    for name in models:
        check_licence(find(name), bench.allow_licences)
        load_files(find(name))


def _measure(model: str, networks: Networks) -> float:
    """Compute with a model's first network.

    Raises:
        MissingDependency: What loads it is not installed.
        NetworkFailed: It does not compute, or not on the GPU.
    """
    network = next(iter(networks.load(plan_signals(every_slot(find(model)))).values()))
    if network.gpu_trouble:
        raise NetworkFailed(network.gpu_trouble)
    if gpu_is_here() and network.device == CPU:
        raise NetworkFailed(
            f"A GPU is here and {model} computes on the CPU, since ONNX Runtime or PyTorch is the "
            "one for CPUs: deploy the image gpu-worker."
        )
    return times_realtime(network)
