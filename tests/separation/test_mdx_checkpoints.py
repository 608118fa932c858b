"""The graphs of MDX-Net are of the architecture that was published."""

import pytest
from onnx import ModelProto

import mdx_graphs
from stemset.catalogue.entries import find
from stemset.catalogue.entry import Files


def published_bytes(model: str) -> int:
    source = find(model).source
    assert isinstance(source, Files)
    assert source.size_bytes is not None
    return source.size_bytes


def text_bytes_a_node(model: str, graph: ModelProto) -> float:
    """What the published file holds beside weights as many as the graph's, for each node."""
    weights = sum(len(weight.raw_data) for weight in graph.graph.initializer)
    return (published_bytes(model) - weights) / len(graph.graph.node)


@pytest.mark.parametrize("model", mdx_graphs.LEVELS)
def test_graph_of_the_architecture_has_nearly_the_published_length(model: str) -> None:
    """21,928,774 of 21,930,313 bytes, and 29,701,366 of 29,703,204: names differ in length."""
    graph = mdx_graphs.published(model)

    assert graph.ByteSize() == pytest.approx(published_bytes(model), rel=1e-4)


def test_what_the_published_files_hold_beside_weights_is_the_same_for_every_node() -> None:
    """117.9 bytes in one and 118.0 in the other: one norm more or less a level would show."""
    drums, bass = (
        text_bytes_a_node(model, mdx_graphs.published(model)) for model in mdx_graphs.LEVELS
    )

    assert bass == pytest.approx(drums, abs=0.5)
