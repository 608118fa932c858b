"""What an order lets the computing process reach: one recording, and one folder to fill.

``KeyedExchange`` uses the worker's own keys, ``LinkedExchange`` (``_linked``) presigned links that
the orderer makes, in which case the worker holds no key to any bucket.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from stemset.storage.keys import AttemptFolder
from stemset.storage.store import OnBytes, Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """A presigned link that is needed.

    Attributes:
        method: ``GET`` or ``PUT``.
        name: A file of the attempt's folder; empty for the recording.
        bytes: Length of what is put.
        part: Number of the part, from 1, if the file is put in parts.
        parts: How many parts there are.
        etags: The parts' ETags in order: the orderer is to complete the upload instead.
    """

    method: Literal["GET", "PUT"]
    name: str = ""
    bytes: int = 0
    part: int | None = None
    parts: int | None = None
    etags: tuple[str, ...] | None = None


class Exchange(Protocol):
    """The recording and the attempt's folder."""

    def fetch(self, path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None) -> None:
        """Append the recording's bytes from ``offset`` on to a file; see ``Store.download``."""
        ...

    def put(self, path: Path, name: str, *, on_bytes: OnBytes = lambda _: None) -> str | None:
        """Write a file into the attempt's folder; returns its ETag. See ``Store.upload``."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write a small file once. Raises ObjectExists if there is one with other content."""
        ...

    def read(self, name: str) -> bytes:
        """Read a small file of the attempt's folder. Raises ObjectNotFound."""
        ...


class KeyedExchange:
    """An exchange with the worker's own keys."""

    def __init__(self, store: Store, input_key: str, folder: AttemptFolder) -> None:
        """Reach ``input_key`` and ``folder`` of a store."""
        self._store = store
        self._input_key = input_key
        self._folder = folder

    def fetch(self, path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None) -> None:
        """Download the recording."""
        self._store.download(self._input_key, path, offset=offset, on_bytes=on_bytes)

    def put(self, path: Path, name: str, *, on_bytes: OnBytes = lambda _: None) -> str | None:
        """Upload a file; returns its ETag."""
        return self._store.upload(path, self._folder.key(name), on_bytes=on_bytes)

    def create(self, name: str, data: bytes) -> None:
        """Create a small object once."""
        self._store.create(self._folder.key(name), data)

    def read(self, name: str) -> bytes:
        """Read a small object."""
        return self._store.read(self._folder.key(name))
