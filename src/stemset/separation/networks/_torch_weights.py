"""Weights of torch networks, read without running what a file may hold.

A safetensors file is data alone. A checkpoint is a pickle, and a pickle is a program: torch steps
through it with its restricted unpickler, which knows arrays, and besides them the names that the
published checkpoints have.
"""

import pickle
from fractions import Fraction
from pathlib import Path
from typing import cast

import torch
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from safetensors import SafetensorError
from safetensors.torch import load_file

from stemset.errors import ModelCorrupt

State = dict[str, torch.Tensor]


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Fill a network from a file, which must have exactly its keys and shapes.

    Args:
        network: A network that was built; it keeps its own precision.
        path: A ``.safetensors`` file, a checkpoint of demucs, or one that is the state alone.

    Raises:
        ModelCorrupt: The file holds something else.
    """
    state = _read(path)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ModelCorrupt(f"{path.name} holds the weights of another network: {error}") from error


def _read(path: Path) -> State:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([HDemucs, HTDemucs, Fraction]):
            package: object = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ModelCorrupt(f"{path.name} cannot be read as weights: {error}") from error
    state = package.get("state", package) if isinstance(package, dict) else None
    if not isinstance(state, dict) or not all(torch.is_tensor(value) for value in state.values()):
        raise ModelCorrupt(f"{path.name} is no checkpoint with the state of a network.")
    return cast("State", state)
