"""Spleeter's two U-Nets as one ONNX graph, from magnitudes to the mask of the vocals.

Input ``magnitude``, ``float32``, ``(batch, 2, 512, 1024)``: channels, frames of a centred STFT
(periodic Hann window of 4096, hop 1024), bins 0 to 1023. Output ``mask``, the same shape, 0 to 1:
the vocals' share. The accompaniment's is ``1 - mask``.

Each network estimates the magnitudes of its stem, ``e = sigmoid(unet(magnitude)) * magnitude``,
and the mask is the ratio ``(e_v² + ε/2) / (e_v² + e_a² + ε)``.

Source: Jansson et al., "Singing voice separation with deep U-Net convolutional networks", ISMIR
2017; Hennequin et al., "Spleeter", doi:10.21105/joss.02154.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stemset.errors import ModelCorrupt

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Arrays: TypeAlias = Mapping[str, npt.NDArray[np.float32]]

CONVERSION = 1
"""Version of the graph that ``build`` writes; another one makes installed models be rebuilt."""

CHANNELS, FRAMES, BINS = 2, 512, 1024
"""Shape of one input of the network."""

_DOWN_FILTERS = (16, 32, 64, 128, 256, 512)
_UP_FILTERS = (256, 128, 64, 32, 16, 1)
_STEPS = len(_DOWN_FILTERS)
_KERNEL = 5
_LAST_KERNEL = 4
_NORM_EPS = 1e-3
_MASK_EPS = 1e-10
_LEAK = 0.2
_OPSET = 17  # every ONNX Runtime since 1.12 runs it
_IR_VERSION = 8

_REFERENCE_FILE = "spleeter_reference.json"
_TOLERANCE = 5e-4
"""Largest deviation of a mask from the reference. Measured: 2e-5 with ONNX Runtime 1.32 on x86-64;
1e-3 when one norm lacks its ε, 0.99 when one padding is misplaced by a pixel."""


def array_shapes() -> dict[str, tuple[int, ...]]:
    """List the arrays of one network's checkpoint.

    Returns:
        Shape by name, 74 arrays with 9,826,759 values in all.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for step, (inputs, outputs) in enumerate(pairwise((CHANNELS, *_DOWN_FILTERS)), start=1):
        shapes[f"down{step}_conv.1.weight"] = (outputs, inputs, _KERNEL, _KERNEL)
        shapes[f"down{step}_conv.1.bias"] = (outputs,)
        shapes |= _norm_shapes(f"down{step}_act.0", outputs)
    for step, outputs in enumerate(_UP_FILTERS, start=1):
        # Every step but the first also takes the mirrored step down, as wide as the way up.
        inputs = _DOWN_FILTERS[-1] if step == 1 else 2 * _UP_FILTERS[step - 2]
        shapes[f"up{step}.0.weight"] = (inputs, outputs, _KERNEL, _KERNEL)
        shapes[f"up{step}.0.bias"] = (outputs,)
        shapes |= _norm_shapes(f"up{step}.3", outputs)
    shapes["up7.0.weight"] = (CHANNELS, 1, _LAST_KERNEL, _LAST_KERNEL)
    shapes["up7.0.bias"] = (CHANNELS,)
    return shapes


def build(vocals: Arrays, accompaniment: Arrays) -> "ModelProto":
    """Build the graph.

    The same arrays and versions of the libraries give the same bytes.

    Args:
        vocals: Arrays of the network that estimates the vocals, named as in ``array_shapes``.
        accompaniment: Those of the other one.

    Returns:
        A model with the input ``magnitude`` and the output ``mask``, both ``float32`` of shape
        ``(batch, 2, 512, 1024)``, all weights inside.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415 - only an install needs it

    graph = _Graph()
    estimates = [
        _estimate(graph, stem, arrays)
        for stem, arrays in (("vocals", vocals), ("accompaniment", accompaniment))
    ]
    _mask(graph, *estimates)
    shape = ("batch", CHANNELS, FRAMES, BINS)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "spleeter-2stems",
            [helper.make_tensor_value_info("magnitude", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("mask", TensorProto.FLOAT, shape)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="stemset",
        model_version=CONVERSION,
    )


def verify(model: Path) -> None:
    """Run a written model once and compare it with reference values.

    The reference was computed from the same checkpoints by the original's own code
    (``scripts/make_spleeter_reference.py``).

    Raises:
        ModelCorrupt: The model cannot be loaded, or its mask is off by more than 5e-4.
    """
    reference = json.loads(files("stemset.catalogue").joinpath(_REFERENCE_FILE).read_text("utf-8"))
    mask = _run(model, probe_magnitude())
    found = mask.reshape(-1)[probe_positions(len(reference["mask"]))]
    error = float(np.abs(found - np.array(reference["mask"])).max())
    if not error <= _TOLERANCE:  # in this form NaN fails too
        raise ModelCorrupt(
            f"The network in {model} computes a mask that is off by {error:.2g}, "
            f"more than {_TOLERANCE:g}. ONNX Runtime may not work right on this machine."
        )


def probe_magnitude() -> npt.NDArray[np.float32]:
    """Make the fixed input of ``verify``: a gliding tone with vibrato and pauses, in noise.

    It is voice-like enough to take the masks through all values. Only integers, products and
    quotients are used, so that every machine and version makes the same one.

    Returns:
        Magnitudes of shape ``(1, 2, 512, 1024)``, at least 0 and at most 220.
    """
    frame, bin_ = np.arange(FRAMES)[:, np.newaxis], np.arange(BINS)
    pitch_bins = 15 + 4.5 * _triangle(frame, 150) + 1.5 * _triangle(frame, 8)
    off_harmonic_bins = (bin_ + pitch_bins / 2) % pitch_bins - pitch_bins / 2
    sung = frame // 48 % 4 != 3  # noqa: PLR2004 - three quarters of the time
    tone = sung / (1 + off_harmonic_bins * off_harmonic_bins) / (1 + bin_ / 100)
    noise = _scatter(np.arange(CHANNELS * FRAMES * BINS)).reshape(1, CHANNELS, FRAMES, BINS) / 2**32
    gain = np.array([200, 160]).reshape(1, CHANNELS, 1, 1)
    return (gain * tone + 20 * noise * noise * noise / (1 + bin_ / 50)).astype(np.float32)


def probe_positions(count: int) -> npt.NDArray[np.int64]:
    """Choose the flat positions of the mask that ``verify`` compares, spread over all of it."""
    return (_scatter(np.arange(count)) % (CHANNELS * FRAMES * BINS)).astype(np.int64)


def _triangle(position: npt.NDArray[np.int64], period: int) -> npt.NDArray[np.floating]:
    return abs(position % period - period / 2) / (period / 2)


def _scatter(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Hash integers to 32 bits.

    Source: the final mix of MurmurHash3.
    """
    bits = numbers.astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return bits ^ (bits >> np.uint32(16))


def _run(model: Path, magnitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # Loaded here, since the catalogue is also used by processes that must stay light.
    from onnxruntime import InferenceSession  # noqa: PLC0415
    from onnxruntime.capi import (  # noqa: PLC0415
        onnxruntime_pybind11_state as ort,  # pyright: ignore[reportAttributeAccessIssue]
    )

    try:
        session = InferenceSession(model, providers=["CPUExecutionProvider"])
        (mask,) = session.run(["mask"], {"magnitude": magnitude})
    except (
        ort.Fail,
        ort.InvalidArgument,
        ort.InvalidGraph,
        ort.InvalidProtobuf,
        ort.NotImplemented,
        ort.RuntimeException,
    ) as error:
        raise ModelCorrupt(f"ONNX Runtime cannot run the network in {model}: {error}.") from error
    return np.asarray(mask)


class _Graph:
    """Nodes and constants, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add a node with one output.

        Returns:
            The name of the output, which is that of the node.
        """
        from onnx import helper  # noqa: PLC0415 - only an install needs it

        node = helper.make_node(operator, inputs, [name], name, **attributes)
        self.nodes.append(node)
        return name

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """Add a ``float32`` constant, and return its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - only an install needs it

        array = np.ascontiguousarray(values, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _norm_shapes(prefix: str, filters: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{part}": (filters,) for part in parts}


def _estimate(graph: _Graph, stem: str, arrays: Arrays) -> str:
    """Add one U-Net: the magnitudes of one stem."""
    skips: list[str] = []
    signal = "magnitude"
    for step in range(1, _STEPS + 1):
        convolved = _down(graph, f"{stem}.down{step}", signal, arrays, step)
        skips.append(convolved)
        if step < _STEPS:  # the way up starts at the last step's raw convolution
            signal = _norm_and_leak(graph, f"{stem}.down{step}", convolved, arrays, step)
    signal = skips.pop()
    for step in range(1, _STEPS + 1):
        signal = _up(graph, f"{stem}.up{step}", signal, arrays, step)
        if skips:
            signal = graph.add("Concat", skips.pop(), signal, name=f"{stem}.join{step}", axis=1)
    return _share(graph, f"{stem}.share", signal, arrays)


def _down(graph: _Graph, name: str, signal: str, arrays: Arrays, step: int) -> str:
    """Halve frames and bins: ``(b, c, t, f)`` → ``(b, filters, t/2, f/2)``."""
    return graph.add(
        "Conv",
        signal,
        graph.constant(f"{name}.weight", arrays[f"down{step}_conv.1.weight"]),
        graph.constant(f"{name}.bias", arrays[f"down{step}_conv.1.bias"]),
        name=f"{name}.conv",
        kernel_shape=[_KERNEL, _KERNEL],
        strides=[2, 2],
        pads=[1, 1, 2, 2],
    )


def _norm_and_leak(graph: _Graph, name: str, signal: str, arrays: Arrays, step: int) -> str:
    normed = _norm(graph, f"{name}.norm", signal, arrays, f"down{step}_act.0")
    return graph.add("LeakyRelu", normed, name=f"{name}.leak", alpha=_LEAK)


def _up(graph: _Graph, name: str, signal: str, arrays: Arrays, step: int) -> str:
    """Double frames and bins: ``(b, c, t, f)`` → ``(b, filters, 2t, 2f)``."""
    convolved = graph.add(
        "ConvTranspose",
        signal,
        graph.constant(f"{name}.weight", arrays[f"up{step}.0.weight"]),
        graph.constant(f"{name}.bias", arrays[f"up{step}.0.bias"]),
        name=f"{name}.conv",
        kernel_shape=[_KERNEL, _KERNEL],
        strides=[2, 2],
        pads=[1, 1, 2, 2],
    )
    rectified = graph.add("Relu", convolved, name=f"{name}.relu")
    return _norm(graph, f"{name}.norm", rectified, arrays, f"up{step}.3")


def _norm(graph: _Graph, name: str, signal: str, arrays: Arrays, prefix: str) -> str:
    """Add a batch norm with its fixed statistics: a scale and a shift per channel."""
    scale = arrays[f"{prefix}.weight"] / np.sqrt(arrays[f"{prefix}.running_var"] + _NORM_EPS)
    shift = arrays[f"{prefix}.bias"] - arrays[f"{prefix}.running_mean"] * scale
    scaled = graph.add(
        "Mul",
        signal,
        graph.constant(f"{name}.scale", scale.reshape(1, -1, 1, 1)),
        name=f"{name}.scaled",
    )
    return graph.add(
        "Add", scaled, graph.constant(f"{name}.shift", shift.reshape(1, -1, 1, 1)), name=name
    )


def _share(graph: _Graph, name: str, signal: str, arrays: Arrays) -> str:
    """Turn the last step's one channel into magnitudes: ``(b, 1, t, f)`` → ``(b, 2, t, f)``."""
    convolved = graph.add(
        "Conv",
        signal,
        graph.constant(f"{name}.weight", arrays["up7.0.weight"]),
        graph.constant(f"{name}.bias", arrays["up7.0.bias"]),
        name=f"{name}.conv",
        kernel_shape=[_LAST_KERNEL, _LAST_KERNEL],
        dilations=[2, 2],
        pads=[3, 3, 3, 3],
    )
    share = graph.add("Sigmoid", convolved, name=f"{name}.sigmoid")
    return graph.add("Mul", share, "magnitude", name=name)


def _mask(graph: _Graph, vocals: str, accompaniment: str) -> None:
    """Add the ratio of the vocals' energy to that of both stems."""
    energy = graph.add("Mul", vocals, vocals, name="vocals.energy")
    rest = graph.add("Mul", accompaniment, accompaniment, name="accompaniment.energy")
    both = graph.add("Add", energy, rest, name="both.energy")
    graph.add(
        "Div",
        graph.add("Add", energy, graph.constant("half_eps", _MASK_EPS / 2), name="mask.above"),
        graph.add("Add", both, graph.constant("eps", _MASK_EPS), name="mask.below"),
        name="mask",
    )
