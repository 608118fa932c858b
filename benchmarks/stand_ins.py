"""Models with random weights of the released sizes, for Stemset and for demucs's own command.

The released weights cannot be fetched everywhere; speed and memory do not depend on them. Both
programs get the same values: Stemset as files of its model cache, demucs as checkpoints and lists
of a folder that its option `--repo` takes.

Runs in a process of its own, so that PyTorch is not in the memory of the one that measures.
Usage: stand_ins.py FOLDER MODEL…; writes FOLDER/cache and FOLDER/repository.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from demucs.pretrained import REMOTE_ROOT
from safetensors.torch import load_file

from stemset.catalogue.entries import find
from stemset.catalogue.entry import Files, ModelEntry, Network
from stemset.catalogue.weights import load_files

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from stand_in_weights import (  # pyright: ignore[reportMissingImports]
    install_stand_in,
    random_network,
)

OF_DEMUCS = (Network.HTDEMUCS, Network.HDEMUCS)


def main(folder: Path, names: list[str]) -> None:
    """Write the models that are not there yet."""
    cache, repository = folder / "cache", folder / "repository"
    repository.mkdir(parents=True, exist_ok=True)
    for name in names:
        entry = find(name)
        if not (cache / name).exists():
            install_stand_in(entry, cache)
            if entry.network in OF_DEMUCS:
                publish(entry, cache, repository)


def publish(entry: ModelEntry, cache: Path, repository: Path) -> None:
    """Write a model's checkpoints as demucs keeps them, and demucs's own list of them."""
    checkpoints = entry.source.checkpoints if isinstance(entry.source, Files) else ()
    network: Any = random_network(entry)
    arguments, options = network._init_args_kwargs  # noqa: SLF001 - so demucs saves its own
    for checkpoint, file in zip(checkpoints, load_files(entry, cache), strict=True):
        package = {
            "klass": type(network),
            "args": arguments,
            "kwargs": options,
            "state": load_file(file.path),
        }
        signature, _, _ = checkpoint.forms[-1].name.partition("-")
        torch.save(package, repository / f"{signature}.th")
    shutil.copy(REMOTE_ROOT / f"{entry.name}.yaml", repository)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
