"""The file that a person names, opened without ever waiting for it, and watched for changes."""

import os
import stat
from io import FileIO

from stemset.errors import InputEmpty, InputNotFound, InputUnreadable


class InputFile:
    """A regular file, open for reading.

    Attributes:
        name: The path, with everything that is not printable escaped.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = printable(os.fsdecode(path))
        self._file = _open_regular(path, self.name)
        self._opened = os.fstat(self._file.fileno())
        if self._opened.st_size == 0:
            self._file.close()
            raise InputEmpty(f"{self.name} is empty.")

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.fileno()

    def has_changed(self) -> bool:
        """Whether somebody wrote to the file since it was opened; it may have been deleted."""
        if self._file.closed:
            return False
        now = os.fstat(self._file.fileno())
        before = self._opened
        return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open_regular(path: str | os.PathLike[str], name: str) -> FileIO:
    """Open a file without ever waiting for it, as a FIFO or a device would make one do.

    Raises:
        InputNotFound: if there is nothing at the path.
        InputUnreadable: if it is no regular file, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputNotFound(f"{name} does not exist.") from error
    except OSError as error:
        raise InputUnreadable(f"{name} cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputUnreadable(f"{name} is not a regular file.")
    return FileIO(descriptor)


def printable(name: str) -> str:
    """Return a name that can be printed: a file's name may hold newlines and half characters."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(escaped)
