"""Find published weights that are on disk already: where a person put them, or another tool."""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from stemset.catalogue.entry import PublishedFile


def find(file: PublishedFile, folders: Collection[Path]) -> tuple[Path, str] | None:
    """Look for a file by its name, and know it by its content.

    Args:
        file: What to look for.
        folders: Where to look first; then in the caches of PyTorch and of the model hub.

    Returns:
        Its path and its whole hash, or None if it is nowhere, or something else has its name.
    """
    for path in _places(file, folders):
        try:
            if file.size_bytes not in (None, path.stat().st_size):
                continue
            with path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError:
            continue
        if sha256.startswith(file.sha256):
            return path, sha256
    return None


def _places(file: PublishedFile, folders: Collection[Path]) -> Iterator[Path]:
    for folder in folders:
        yield folder / file.name
    # Where demucs before 4.1 keeps its checkpoints.
    yield _cache("TORCH_HOME", "torch") / "hub" / "checkpoints" / file.name
    hub = os.environ.get("HF_HUB_CACHE")
    cached = Path(hub) if hub else _cache("HF_HOME", "huggingface") / "hub"
    # Source: the layout of the hub's cache, as huggingface_hub documents it.
    if repository := _repository(file.url):
        yield from cached.glob(f"models--{repository}/snapshots/*/{file.name}")


def _cache(variable: str, name: str) -> Path:
    if named := os.environ.get(variable):
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / name


def _repository(url: str) -> str | None:
    """``OWNER--NAME`` of an address of the form ``…/OWNER/NAME/resolve/COMMIT/FILE``."""
    repository, found, _ = url.partition("/resolve/")
    return "--".join(repository.split("/")[-2:]) if found else None
