"""The port: what a store can do, and the one way to open one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from stemset.storage.settings import StoreSettings

OnBytes = Callable[[int], None]
"""Called with the number of bytes that were moved since the last call."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object without reading it.

    Attributes:
        key: Its key.
        bytes: Its length.
        etag: Changes with every write; None where the store has none.
        modified: When it was written.
    """

    key: str
    bytes: int
    etag: str | None
    modified: datetime


class Store(Protocol):
    """A bucket, a folder or memory.

    Every call raises ``StorageUnavailable`` when the store does not answer for as long as is
    retried, ``StorageRefused`` when it refuses, and ``NoSpace`` when a quota or disk is full.
    """

    def head(self, key: str) -> ObjectInfo:
        """Look an object up. Raises ObjectNotFound."""
        ...

    def read(self, key: str, *, limit: int = 1 << 20) -> bytes:
        """Read a small object whole. Raises ObjectNotFound, ObjectCorrupt if it is too long."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Write a small object; others see the old one or the new one, whole."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write a small object where there is none.

        A store whose answer got lost can say that the object exists although this call wrote it,
        so the object is read back: the same content counts as written.

        Raises:
            ObjectExists: There is one with other content.
        """
        ...

    def download(
        self, key: str, path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None
    ) -> None:
        """Append an object's bytes from ``offset`` on to a file.

        Args:
            key: The object.
            path: The file, made if need be.
            offset: Where to begin; what the file holds beyond it is cut off first.
            on_bytes: Called as bytes come.

        Raises:
            ObjectNotFound: There is no such object.
            ObjectCorrupt: It ended early or is shorter than ``offset``.
            NoSpace: The disk is full.
            OutputUnwritable: The file cannot be written.
        """
        ...

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read an object, or a range of it, in chunks of a few hundred kilobytes.

        Memory does not grow with the object, and a reader that waits holds nothing up but its own
        connection. Whoever stops before the end closes the iterator, or lets go of it.

        Args:
            key: The object.
            offset: Where to begin, up to its length.
            length: How many bytes, None for all that follow.

        Returns:
            The bytes; what can be known before the first of them is raised by the call itself.

        Raises:
            ObjectNotFound: There is no such object.
            ObjectCorrupt: It is shorter than the range that is asked for, or ended early.
        """
        ...

    def upload(self, path: Path, key: str, *, on_bytes: OnBytes = lambda _: None) -> str | None:
        """Write a file of any length; others see it only when it is whole.

        Memory does not grow with the file: a long one goes in parts of equal size.

        Returns:
            The ETag of what was written; None where the store has none.

        Raises:
            InputUnreadable: The file cannot be read.
        """
        ...

    def list_below(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a folder's key (given without a closing slash)."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no error."""
        ...

    def sign(
        self, method: Literal["GET", "PUT"], keys: Sequence[str], *, expires_s: int
    ) -> list[str]:
        """Make presigned URLs, one for each key. Raises StorageRefused where there are none."""
        ...


def open_store(settings: StoreSettings) -> Store:
    """Open a store; nothing is asked of it yet."""
    from stemset.storage._obstore import ObstoreStore  # noqa: PLC0415 - the engine loads on use

    return ObstoreStore(settings)
