"""What a folder was given, made to survive a power cut; a bucket sees to that by itself.

Without it a file that was renamed into its place can be empty, or not there, while the database
says that it is whole.
"""

from contextlib import suppress
from pathlib import Path

from stemset.audio.files import sync_file, sync_folder


def sync_object(folder: Path, key: str) -> None:
    """Make an object durable, unless somebody has removed it by now. Raises OSError.

    Args:
        folder: The store's folder.
        key: The object.
    """
    with suppress(FileNotFoundError):
        sync_file(folder / key)
        sync_names(folder, key)


def sync_names(folder: Path, key: str) -> None:
    """Make it durable that an object is there, under its key. Raises OSError."""
    place = folder / key
    while place != folder:
        place = place.parent
        sync_folder(place)
