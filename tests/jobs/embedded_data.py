"""A data folder whose embedded database is removed with all that it left elsewhere."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemset.postgres._place import SYSTEM_FOLDER, find_place
from stemset.postgres.cluster import Cluster


@contextmanager
def embedded_data(folder: Path) -> Iterator[Path]:
    """A data folder, which need not exist yet."""
    yield folder
    Cluster(folder).stop()
    place = find_place(folder, SYSTEM_FOLDER)
    if place is not None:  # as root it does not lie in the data folder
        shutil.rmtree(place.folder)
