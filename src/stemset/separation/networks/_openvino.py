"""Graphs of OpenVINO, which computes several times as fast on a CPU as PyTorch does.

A graph is made of a network of PyTorch once and kept beside its weights:

```text
<cache>/<model>/openvino/<weights>-<versions>/graph.xml     what the network computes
                                              graph.bin     its weights
                                              sha256.json   the hashes of the two
```

Nothing of PyTorch is loaded where it lies there.

OpenVINO tells its makers over the network when it is imported, unless the package that does so is
missing; and the process that it forks for it can leave NumPy waiting for ever. So it is imported
here first, and finds that package missing.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stemset.errors import MissingDependency, NetworkFailed
from stemset.separation.network import Precision, Samples

sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]

try:
    import openvino as ov
except (ImportError, OSError) as error:  # the latter where a library of the system is missing
    raise MissingDependency(
        f"OpenVINO is installed and does not load ({error}). "
        "Without it, PyTorch computes the networks: pip uninstall openvino"
    ) from error

_FORM = 1  # raised when graphs come out otherwise than those of an earlier Stemset
_FOLDER = "openvino"
_GRAPH = "graph.xml"
_WEIGHTS = "graph.bin"
_HASHES = "sha256.json"
_DEVICE = "CPU"
_HINTS = {Precision.FLOAT32: "f32", Precision.BFLOAT16: "bf16"}


class OpenVinoGraph:
    """A graph, ready to compute on the CPU."""

    def __init__(self, graph: Path, *, threads: int, precision: Precision) -> None:
        """Load a graph.

        Args:
            graph: Its XML file; the weights lie beside it.
            threads: Threads that one run may use.
            precision: What it computes in, float32 or bfloat16.

        Raises:
            NetworkFailed: The runtime does not load it.
        """
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": str(threads),
            "NUM_STREAMS": "1",
            # Bound to cores, its threads would wait for those that decode and encode.
            "ENABLE_CPU_PINNING": "NO",
        }
        try:
            self._run = ov.Core().compile_model(graph, _DEVICE, settings).create_infer_request()
        except (RuntimeError, MemoryError) as error:
            raise NetworkFailed(f"OpenVINO does not load the network: {error}") from error

    def __call__(self, *inputs: Samples) -> tuple[Samples, ...]:
        """Compute the graph's outputs, which hold until it computes again.

        Raises:
            NetworkFailed: The runtime raised an error.
        """
        try:
            self._run.infer(list(inputs), share_inputs=True)
        except (RuntimeError, MemoryError) as error:
            raise NetworkFailed(f"The network failed while it computed: {error}") from error
        return tuple(tensor.data for tensor in self._run.output_tensors)


def fast_precision() -> Precision:
    """What this CPU computes fastest in: bfloat16 where it multiplies such numbers itself."""
    abilities = ov.Core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    return Precision.BFLOAT16 if "BF16" in abilities else Precision.FLOAT32


def load_graph(
    weights: Path, make: Callable[[], ov.Model], *, threads: int, precision: Precision
) -> OpenVinoGraph:
    """Load the graph of a network, which is made and kept unless it is there already.

    It is loaded from a file even where it cannot be kept: a graph that was never written computes
    with other roundings.

    Args:
        weights: The network's file.
        make: Makes the graph.
        threads: Threads that one run may use.
        precision: What it computes in, float32 or bfloat16.

    Raises:
        NetworkFailed: The runtime does not load it, or there is no place for it.
    """
    folder = weights.parent / _FOLDER / f"{weights.stem}-{_FORM}-{_version()}"
    if not _is_whole(folder):
        graph = make()
        try:
            _keep(graph, folder)
        except OSError:  # the cache is read-only, or the disk is full
            return _load_unkept(graph, threads=threads, precision=precision)
    return OpenVinoGraph(folder / _GRAPH, threads=threads, precision=precision)


def _load_unkept(graph: ov.Model, *, threads: int, precision: Precision) -> OpenVinoGraph:
    try:
        with tempfile.TemporaryDirectory(prefix="stemset-graph-") as folder:
            _write(graph, Path(folder))
            return OpenVinoGraph(Path(folder) / _GRAPH, threads=threads, precision=precision)
    except OSError as error:
        raise NetworkFailed(
            f"There is no place for the network's graph, in the model cache or in "
            f"{tempfile.gettempdir()}: {error}"
        ) from error


def _version() -> str:
    return ov.get_version().partition("-")[0]


def _is_whole(folder: Path) -> bool:
    """Whether a graph is there as it was written; what is left of a damaged one is removed."""
    try:
        hashes: dict[str, str] = json.loads((folder / _HASHES).read_text("utf-8"))
        if all(_sha256(folder / name) == sha256 for name, sha256 in hashes.items()):
            return True
    except (OSError, ValueError, AttributeError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _keep(graph: ov.Model, folder: Path) -> None:
    """Write a graph so that it is there as a whole or not at all."""
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as name:
        part = Path(name) / folder.name
        part.mkdir()
        _write(graph, part)
        hashes = {name: _sha256(part / name) for name in (_GRAPH, _WEIGHTS)}
        (part / _HASHES).write_text(json.dumps(hashes), "utf-8")
        # Another process may have been faster: its graph is as good.
        with suppress(OSError):
            part.rename(folder)
    _remove_older(folder)
    if not (folder / _GRAPH).exists():
        raise FileNotFoundError(folder)


def _write(graph: ov.Model, folder: Path) -> None:
    try:
        ov.save_model(graph, folder / _GRAPH, compress_to_fp16=False)
    except RuntimeError as error:
        raise OSError(str(error)) from error


def _remove_older(folder: Path) -> None:
    """Remove the graphs that other versions made of the same weights."""
    for other in folder.parent.iterdir():
        if other != folder and _weights_of(other) == _weights_of(folder):
            shutil.rmtree(other, ignore_errors=True)


def _weights_of(folder: Path) -> str:
    return folder.name.rsplit("-", 2)[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
