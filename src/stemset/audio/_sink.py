"""The file under an encoder, and what its failures are called.

FFmpeg writes through a callback, and an exception cannot travel through it. So the file keeps the
first error and swallows what follows; the writer asks for it after each block. FFmpeg never sees a
failure, and every encoder can be closed in the ordinary way.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

from av.error import FFmpegError

from stemset.errors import NoSpace, OutputError, OutputUnwritable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class OutputFile:
    """A new file that remembers its first error.

    Attributes:
        path: Where it is.
        name: The same as text; PyAV puts it into its messages.
        watch: Called with all bytes as they are written, in order, if set.
    """

    def __init__(self, path: Path) -> None:
        """Create the file, or empty it.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: The file cannot be made.
        """
        self.path = path
        self.name = str(path)
        self.watch: Callable[[bytes], None] | None = None
        self._error: OSError | None = None
        with file_errors(path):
            self._file = path.open("wb", buffering=0)

    @property
    def closed(self) -> bool:
        """Whether the file is closed; PyAV then leaves it alone when a container is collected."""
        return self._file.closed

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of ``data``, or keep the error and drop it."""
        view = memoryview(data)
        if self._error is None:
            try:
                self._write_all(view)
            except OSError as error:
                self._error = error
        return view.nbytes

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the write position; FFmpeg goes back to complete its headers."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The write position in bytes."""
        return self._file.tell()

    def check(self) -> None:
        """Raise the first error, if there was one.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: Any other failure.
        """
        if self._error is not None:
            raise as_output_error(self.path, self._error) from self._error

    def close(self) -> None:
        """Close the file.

        Raises:
            NoSpace: The disk is full; some file systems say so only now.
            OutputUnwritable: Any other failure of this write or of one before.
        """
        with file_errors(self.path):
            self._file.close()
        self.check()

    def discard(self) -> None:
        """Close and remove the file, whatever happened to it."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write_all(self, view: memoryview) -> None:
        if self.watch is not None:
            self.watch(bytes(view))
        while view:
            # A disk that becomes full takes a part, and fails at the next try.
            view = view[self._file.write(view) :]


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a file system into ours."""
    try:
        yield
    except OSError as error:
        raise as_output_error(path, error) from error


@contextlib.contextmanager
def encoder_errors(path: Path) -> Iterator[None]:
    """Turn the errors of FFmpeg into ours."""
    try:
        yield
    except FFmpegError as error:
        raise OutputUnwritable(f"{path}: the encoder failed: {error}") from error


def as_output_error(path: Path, error: OSError) -> OutputError:
    """Our error for one of the file system."""
    if error.errno in _FULL:
        return NoSpace(f"{path}: no space is left on the disk")
    return OutputUnwritable(f"{path}: {error.strerror or error}")
