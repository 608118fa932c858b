"""MDX-Net's graphs with random weights, written node by node.

The network is KUIELab's ConvTDFNet (kuielab/mdx-net, ``src/models/mdxnet.py`` and ``modules.py``):
a U-Net over time and frequency whose blocks are convolutions and, between them and their result,
two linear layers along the frequencies. It is written as torch's exporter writes it: norms stand
inside the convolutions before them, but not inside transposed convolutions and linear layers.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from stemset.separation.networks.mdx import SIZES, Size

LEVELS = {"kuielab_b_drums": 4, "kuielab_a_bass": 5}
"""How often the published networks halve time and frequency. Source: the submission's models.py."""

_PARTS = 4
_CONVOLUTIONS = 3
_BOTTLENECK = 8
_EPS = 1e-5
# The way up is multiplied with what the mirrored blocks found: about 1, or powers would explode.
_UP_GAIN, _UP_BIAS = 1e-5, 1
_LAST_GAIN = 0.1
_OPSET = 13
_IR_VERSION = 7


@dataclass
class _Graph:
    random: np.random.Generator
    nodes: list[NodeProto] = field(default_factory=list)
    weights: list[TensorProto] = field(default_factory=list)

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operation}_{len(self.nodes)}"
        output = str(1000 + len(self.nodes))
        self.nodes.append(helper.make_node(operation, inputs, [output], name, **attributes))
        return output

    def weight(self, values: NDArray[np.floating]) -> str:
        name = f"onnx::{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def noise(self, *shape: int, inputs: int, gain: float = 1) -> str:
        return self.weight(gain * self.random.standard_normal(shape) * np.sqrt(2 / inputs))

    def convolve(
        self, x: str, inputs: int, outputs: int, size: int, stride: int = 1, gain: float = 1
    ) -> str:
        weights = self.noise(outputs, inputs, size, size, inputs=inputs * size * size, gain=gain)
        bias = self.weight(np.zeros(outputs))
        pad = size // 2 if stride == 1 else 0
        return self.add(
            "Conv", x, weights, bias, dilations=[1, 1], group=1, kernel_shape=[size, size],
            pads=[pad] * 4, strides=[stride, stride],
        )  # fmt: skip

    def upsample(self, x: str, inputs: int, outputs: int) -> str:
        weights = self.noise(inputs, outputs, 2, 2, inputs=inputs)
        return self.add(
            "ConvTranspose", x, weights, self.weight(np.zeros(outputs)), dilations=[1, 1], group=1,
            kernel_shape=[2, 2], pads=[0, 0, 0, 0], strides=[2, 2],
        )  # fmt: skip

    def norm(self, x: str, channels: int, gain: float = 1, bias: float = 0) -> str:
        values = [gain, bias, 0, 1]  # the last two: mean and variance
        constants = [self.weight(np.full(channels, value)) for value in values]
        return self.add("BatchNormalization", x, *constants, epsilon=_EPS, momentum=0.9)

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def block(self, x: str, channels: int, bins: int) -> str:
        for _ in range(_CONVOLUTIONS):
            x = self.relu(self.convolve(x, channels, channels, 3))
        y = x
        for inputs, outputs in ((bins, bins // _BOTTLENECK), (bins // _BOTTLENECK, bins)):
            y = self.add("MatMul", y, self.noise(inputs, outputs, inputs=inputs))
            y = self.relu(self.norm(y, channels))
        return self.add("Add", x, y)


def published(name: str, seed: int = 0) -> ModelProto:
    """A network of the size of a model of the catalogue."""
    return conv_tdf_net(SIZES[name], levels=LEVELS[name], seed=seed)


def conv_tdf_net(size: Size, *, levels: int, growth: int = 32, seed: int = 0) -> ModelProto:
    """A network of the published architecture.

    Args:
        size: The shape of its input.
        levels: How often time and frequency are halved.
        growth: Channels of the first level, and how many more each further one has.
        seed: Of the random weights.
    """
    graph = _Graph(np.random.default_rng(seed))
    channels, bins = growth, size.bins
    x = graph.relu(graph.convolve("input", _PARTS, channels, 1))
    x = graph.add("Transpose", x, perm=[0, 1, 3, 2])
    mirrored: list[str] = []
    for _ in range(levels):
        x = graph.block(x, channels, bins)
        mirrored.append(x)
        x = graph.relu(graph.convolve(x, channels, channels + growth, 2, stride=2))
        channels, bins = channels + growth, bins // 2
    x = graph.block(x, channels, bins)
    for seen in reversed(mirrored):
        x = graph.upsample(x, channels, channels - growth)
        channels, bins = channels - growth, bins * 2
        x = graph.relu(graph.norm(x, channels, _UP_GAIN, _UP_BIAS))
        x = graph.add("Mul", x, seen)
        x = graph.block(x, channels, bins)
    x = graph.add("Transpose", x, perm=[0, 1, 3, 2])
    graph.convolve(x, channels, _PARTS, 1, gain=_LAST_GAIN)
    graph.nodes[-1].output[0] = "output"
    return model(size, graph.nodes, graph.weights)


def model(size: Size, nodes: list[NodeProto], weights: list[TensorProto]) -> ModelProto:
    """A graph from ``input`` to ``output``, both spectra of this size."""
    shape = ("batch_size", _PARTS, size.bins, size.windows)
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("input", "output")
    ]
    return helper.make_model(
        helper.make_graph(nodes, "torch-jit-export", described[:1], described[1:], weights),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="pytorch",
        producer_version="1.9",
    )


def local(size: Size) -> ModelProto:
    """A graph that mixes bins and channels of a window, and no window with another."""
    graph = _Graph(np.random.default_rng(3))
    mixed = graph.convolve("input", _PARTS, _PARTS, 1)
    flat = graph.add("Tanh", mixed)
    sign = graph.weight(np.linspace(-1, 1, size.bins).reshape(1, 1, -1, 1))
    graph.nodes.append(helper.make_node("Mul", [flat, sign], ["output"]))
    return model(size, graph.nodes, graph.weights)


def echo(size: Size) -> ModelProto:
    """A graph that answers its input."""
    return model(size, [helper.make_node("Identity", ["input"], ["output"])], [])
