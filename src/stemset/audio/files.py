"""Writing files: what the operating system refuses, in Stemset's own errors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemset.errors import NoSpace, OutputUnwritable

# EFBIG: the process may not write longer files (ulimit), which is a full disk to the person.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate the errors of writing to ``path``.

    Raises:
        NoSpace: The disk, a quota or a limit is exhausted.
        OutputUnwritable: Any other refusal.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"The disk is full: {path} could not be written.") from error
        reason = error.strerror or str(error)
        raise OutputUnwritable(f"{path} cannot be written: {reason}.") from error


def sync_file(path: Path) -> None:
    """Make what a file holds survive a power cut."""
    _sync(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
