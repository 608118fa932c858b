"""The networks are those that the published checkpoints were trained with."""

import json
from pathlib import Path

import pytest
from safetensors.torch import save

from stemset.catalogue.entries import find
from stemset.catalogue.entry import Files
from stemset.separation.networks.roformer import build

KEYS = Path(__file__).parent / "checkpoint_keys"


@pytest.mark.parametrize(
    ("model", "keys", "count"),
    [
        ("melband_roformer_kim", "melband_roformer_kim", 684),
        ("bs_roformer_ep317", "bs_roformer_ep317", 699),
    ],
)
def test_network_has_the_keys_and_shapes_of_the_published_checkpoint(
    model: str, keys: str, count: int
) -> None:
    state = build(find(model)).state_dict()

    published = json.loads((KEYS / f"{keys}.json").read_text("utf-8"))
    assert {key: list(value.shape) for key, value in state.items()} == published
    assert len(published) == count


@pytest.mark.slow
def test_network_makes_a_file_of_the_published_length() -> None:
    """A safetensors file begins with all keys and shapes: another network has another length."""
    entry = find("melband_roformer_kim")
    assert isinstance(entry.source, Files)
    state = build(entry).state_dict()

    # The layers share their rotary frequencies, and a file has no shared tensors.
    unshared = {k: v.clone() if k.endswith("rotary_embed.freqs") else v for k, v in state.items()}
    file = save(unshared)

    (checkpoint,) = entry.source.checkpoints
    assert checkpoint.forms[0].size_bytes == len(file)
