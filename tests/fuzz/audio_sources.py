"""The recordings that are damaged: of every format, whole or with headers that lie already."""

import tempfile
from pathlib import Path

import corpus

_LARGEST_BYTES = 2**20  # so that 20 MB of a picture do not take most of the damage


def write_sources(folder: Path) -> None:
    """Write them into an empty folder, each one as a file."""
    with tempfile.TemporaryDirectory() as made:
        for name in (*corpus.ODD, *corpus.DAMAGED, *corpus.LYING):
            path = corpus.write(name, Path(made))
            if path.stat().st_size <= _LARGEST_BYTES:
                path.replace(folder / name)
    corpus.with_art(folder / "small-art.mp3", 20_000)
