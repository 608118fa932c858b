"""A newer version of Stemset: the same, but for an engine whose samples are others."""

import shutil
from pathlib import Path

import stemset

_VERSION = "\nENGINE_VERSION = 1\n"


def newer_version(folder: Path) -> dict[str, str]:
    """Make one in a folder; the environment in which it is what `stemset` is."""
    package = folder / "stemset"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(stemset.__file__).parent, package, ignore=ignored)
    engine = package / "catalogue" / "fingerprint.py"
    text = engine.read_text()
    assert text.count(_VERSION) == 1
    engine.write_text(text.replace(_VERSION, "\nENGINE_VERSION = 2\n"))
    return {"PYTHONPATH": str(folder)}
