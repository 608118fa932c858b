"""Weights of the published keys and shapes with random values, where the real ones cannot be.

Speed, memory and parity depend on no value. They are loaded by the real loaders.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

import mdx_graphs
from stemset.catalogue.entry import Files, ModelEntry, Network
from stemset.catalogue.weights import RECORD_FILE, InstalledModel
from stemset.separation.networks import demucs, roformer

_ROFORMERS = (Network.MEL_BAND_ROFORMER, Network.BS_ROFORMER)


def random_network(entry: ModelEntry, seed: int = 0) -> torch.nn.Module:
    """A network of the released size."""
    torch.manual_seed(seed)
    family = roformer if entry.network in _ROFORMERS else demucs
    return family.build(entry)


def install_stand_in(entry: ModelEntry, cache: Path) -> None:
    """Put a model of random weights into a model cache, as an install would."""
    assert isinstance(entry.source, Files)
    folder = cache / entry.name
    folder.mkdir(parents=True)
    files: dict[str, str] = {}
    for seed, checkpoint in enumerate(entry.source.checkpoints):
        path = _write(entry, seed, folder / checkpoint.forms[0].name)
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    model = InstalledModel(
        name=entry.name,
        folder=folder,
        conversion=0,
        source=entry.source.address,
        source_sha256=entry.source.sha256,
        files=files,
        size_bytes=sum((folder / name).stat().st_size for name in files),
        licence=entry.licence.spdx,
        stemset_version="0",
    )
    record = {name: value for name, value in asdict(model).items() if name != "folder"}
    (folder / RECORD_FILE).write_text(json.dumps(record), "utf-8")


def _write(entry: ModelEntry, seed: int, published: Path) -> Path:
    """Write one file of random weights, named after the published one."""
    if entry.network is Network.MDX_NET:
        published.write_bytes(mdx_graphs.published(entry.name, seed).SerializeToString())
        return published
    path = published.with_suffix(".safetensors")
    state = random_network(entry, seed).state_dict()
    save_file({key: value.half() for key, value in state.items()}, path)
    return path
