"""A folder for what is in the making; what dead processes left in theirs is removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stemset.audio.files import writing

_PREFIX = "stemset-scratch-"
_LOCK = ".lock"


@contextmanager
def own_scratch(parent: str | None) -> Iterator[Path]:
    """Make the folder, hold it, and remove it.

    Args:
        parent: Where to make it, None for a folder of this user's in the system's own place.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: The place cannot be written to.
    """
    place = Path(parent or Path(tempfile.gettempdir()) / f"stemset-{os.getuid()}")
    with writing(place):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(place / _LOCK):  # nobody takes a folder for abandoned that has no lock yet
            _remove_abandoned(place)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            held = _lock(folder / _LOCK)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_abandoned(place: Path) -> None:
    """Remove the folders whose process was killed: nobody holds their lock any more."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(folder / _LOCK, wait=False):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = _lock(path, wait=wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, *, wait: bool = True) -> int:
    """Lock a file until its descriptor is closed. Raises BlockingIOError if another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
