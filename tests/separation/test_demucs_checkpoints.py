"""The networks are those that the published checkpoints were trained with."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from stemset.catalogue.entries import find
from stemset.catalogue.entry import Files
from stemset.separation.networks.demucs import build

KEYS = Path(__file__).parent / "checkpoint_keys"
MODELS = ["htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi"]


@pytest.mark.parametrize("model", MODELS)
def test_network_has_the_keys_and_shapes_of_the_published_checkpoint(model: str) -> None:
    state = build(find(model)).state_dict()

    family = model.removesuffix("_ft")
    published = json.loads((KEYS / f"{family}.json").read_text("utf-8"))
    assert {key: list(value.shape) for key, value in state.items()} == published


@pytest.mark.parametrize("model", MODELS[:3])
def test_network_makes_a_file_of_the_published_length(model: str) -> None:
    """A safetensors file begins with all keys and shapes: another network has another length."""
    entry = find(model)
    assert isinstance(entry.source, Files)
    state = build(entry).state_dict()

    half = save({key: value.to(torch.float16) for key, value in state.items()})

    published = {checkpoint.forms[0].size_bytes for checkpoint in entry.source.checkpoints}
    assert published == {len(half)}
