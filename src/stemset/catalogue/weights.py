"""Weights in the model cache: whether they are there, and their verified path.

```text
<cache>/<model>/model.onnx       what the engine loads
               /installed.json   what it was made of, and its hash
               /example.mp3      the source's example song, if it has one
<cache>/<model>.part/…           an install at work, or the remains of a killed one
<cache>/<model>.lock             held by the process that installs
```

``installation`` makes a model's folder.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stemset.catalogue import spleeter_onnx
from stemset.catalogue.entries import ModelEntry, PinnedFile
from stemset.errors import ModelCorrupt, ModelNotInstalled

NETWORK_FILE = "model.onnx"
RECORD_FILE = "installed.json"
_EXAMPLE_STEM = "example"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model in the cache, as its record says.

    Attributes:
        name: Name of the model.
        folder: Its folder in the cache.
        conversion: Version of the conversion that wrote it.
        source: Address that the weights came from.
        source_sha256: Hash of the published file.
        sha256: Hash of the network file; with other versions of the ``onnx`` library it can
            differ for the same weights.
        size_bytes: Length of the network file.
        licence: SPDX identifier of the weights' licence.
        stemset_version: The Stemset that installed it.
    """

    name: str
    folder: Path
    conversion: int
    source: str
    source_sha256: str
    sha256: str
    size_bytes: int
    licence: str
    stemset_version: str

    @property
    def network_file(self) -> Path:
        """The file that the engine loads."""
        return self.folder / NETWORK_FILE


def model_cache() -> Path:
    """Find the folder of the model cache: ``STEMSET_MODEL_DIR``, or the user's cache folder."""
    if named := os.environ.get("STEMSET_MODEL_DIR"):
        return Path(named).expanduser().absolute()
    return platformdirs.user_cache_path("stemset", appauthor=False) / "models"


def installed(entry: ModelEntry, cache: Path | None = None) -> InstalledModel | None:
    """Look whether a model is in the cache, without reading its weights.

    Args:
        entry: The model.
        cache: The model cache, by default ``model_cache()``.

    Returns:
        Its record, or None if it is not there, or was made from another source or by another
        version of the conversion.
    """
    folder = (cache or model_cache()) / entry.name
    try:
        record = json.loads((folder / RECORD_FILE).read_text("utf-8"))
        model = InstalledModel(folder=folder, **record)
    except (OSError, ValueError, TypeError):
        return None
    wanted = (entry.name, entry.source.sha256, spleeter_onnx.CONVERSION)
    return model if (model.name, model.source_sha256, model.conversion) == wanted else None


def load_path(entry: ModelEntry, cache: Path | None = None) -> Path:
    """Find a model's network file and verify its bytes.

    Takes 0.06 s for the 78 MB of spleeter-2stems.

    Args:
        entry: The model.
        cache: The model cache, by default ``model_cache()``.

    Raises:
        ModelNotInstalled: The model is not in the cache.
        ModelCorrupt: The file is damaged.
    """
    model = installed_or_raise(entry, cache)
    if not _holds(model.network_file, model.sha256):
        raise ModelCorrupt(_damaged(model.network_file, entry))
    return model.network_file


def example_song(entry: ModelEntry, cache: Path | None = None) -> Path | None:
    """Find the song that came with a model's weights.

    Args:
        entry: The model.
        cache: The model cache, by default ``model_cache()``.

    Returns:
        Its path, or None if the model's source has none.

    Raises:
        ModelNotInstalled: The model is not in the cache.
        ModelCorrupt: The file is missing or damaged.
    """
    model = installed_or_raise(entry, cache)
    if entry.source.example is None:
        return None
    song = model.folder / example_name(entry.source.example)
    if not _holds(song, entry.source.example.sha256):
        raise ModelCorrupt(_damaged(song, entry))
    return song


def installed_or_raise(entry: ModelEntry, cache: Path | None) -> InstalledModel:
    """As ``installed``. Raises ModelNotInstalled where that gives None."""
    cache = cache or model_cache()
    if model := installed(entry, cache):
        return model
    raise ModelNotInstalled(
        f"The weights of {entry.name} are not in {cache}. "
        f"Run `stemset models install {entry.name}`."
    )


def intact(entry: ModelEntry, cache: Path) -> InstalledModel | None:
    """As ``installed``, with every byte verified."""
    model = installed(entry, cache)
    if model is None or not _holds(model.network_file, model.sha256):
        return None
    example = entry.source.example
    if example and not _holds(model.folder / example_name(example), example.sha256):
        return None
    return model


def _holds(path: Path, sha256: str) -> bool:
    """Whether a file is there and has these bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def example_name(example: PinnedFile) -> str:
    """The name that an example song has in a model's folder."""
    return f"{_EXAMPLE_STEM}{Path(example.path).suffix}"


def _damaged(path: Path, entry: ModelEntry) -> str:
    return (
        f"{path} is missing or damaged. Run `stemset models install {entry.name}` to install the "
        "model anew."
    )
