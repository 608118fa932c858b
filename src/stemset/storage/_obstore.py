"""The store over obstore: S3, a local folder, memory.

obstore tries each request again for as long as the settings say: after a connection that cannot be
made or breaks, after 5xx and 429, and after silence, except for calls that it takes for unsafe to
repeat (``_repeated`` does that). What it reads goes on after a break where it was. Both was seen
with the gateway killed and frozen; ``tests/storage/test_outages.py`` keeps it so.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.store import S3Store

from stemset.audio.files import writing
from stemset.errors import (
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    StorageRefused,
    StorageUnavailable,
)
from stemset.storage._chunks import STREAM_BYTES, asked_range, file_chunks, too_short, whole
from stemset.storage._durable import sync_object
from stemset.storage._obstore_errors import translated
from stemset.storage._opening import open_clients, retry_s
from stemset.storage._parts import blocks, file_length, part_bytes
from stemset.storage.calls import counted
from stemset.storage.settings import StoreSettings
from stemset.storage.store import ObjectInfo, OnBytes

if TYPE_CHECKING:  # these are types only, and not there when the program runs
    from obstore import GetResult, ObjectMeta

PART_BYTES = 8 << 20
IN_FLIGHT = 4
"""600 MB to Ceph on loopback: 274 MB/s, 45 MB of memory; with 16 MiB parts 290 MB/s, 87 MB."""

_CHUNK_BYTES = 1 << 20


class ObstoreStore:
    """A bucket, a folder or memory; the port is ``store.Store``."""

    def __init__(self, settings: StoreSettings) -> None:
        """Open a store.

        Raises:
            StorageRefused: The endpoint is no address, or the folder cannot be used.
        """
        self._retry_s = retry_s(settings)
        self._store, self._uploads = open_clients(settings)
        self._folder = Path(settings.bucket) if settings.kind == "folder" else None

    @counted("head")
    def head(self, key: str) -> ObjectInfo:
        """Look an object up.

        S3 gives no reason with the answer to this call: a missing bucket looks like a missing
        object.
        """
        with translated(key):
            return _info(obstore.head(self._store, key))

    @counted("read")
    def read(self, key: str, *, limit: int = 1 << 20) -> bytes:
        """Read a small object."""
        with translated(key):
            answer = obstore.get(self._store, key)
            if answer.meta["size"] > limit:
                raise ObjectCorrupt(
                    f"{key} has {answer.meta['size']} bytes; at most {limit} were expected."
                )
            return bytes(answer.bytes())

    @counted("write")
    def write(self, key: str, data: bytes) -> None:
        """Write a small object."""
        with translated(key):
            obstore.put(self._store, key, data, use_multipart=False)
        self._keep(key)

    @counted("create")
    def create(self, key: str, data: bytes) -> None:
        """Write a small object once."""

        def put() -> None:
            with translated(key):
                obstore.put(self._store, key, data, mode="create")

        try:
            self._repeated(put)
        except ObjectExists:
            if self.read(key) != data:
                raise
        self._keep(key)

    @counted("download")
    def download(
        self, key: str, path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None
    ) -> None:
        """Append an object's bytes to a file."""
        expected, chunks = self._chunks(key, offset)
        arrived = offset
        with writing(path), path.open("r+b" if offset else "wb") as file:
            file.truncate(offset)
            file.seek(offset)
            for chunk in chunks:
                file.write(chunk)
                arrived += len(chunk)
                on_bytes(len(chunk))
        if arrived != expected:
            raise ObjectCorrupt(f"{key}: {arrived} bytes arrived, {expected} were expected.")

    @counted("stream")
    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read an object, or a range of it, in chunks."""
        if length == 0 or self._folder is not None:  # a range of no bytes is an error to a bucket
            return self._looked_up(key, offset, length)
        try:
            with translated(key):
                answer = obstore.get(self._store, key, options=asked_range(offset, length))
        except (ObjectCorrupt, StorageUnavailable):
            # A range that begins at the end or beyond it: S3 says the one, memory the other.
            if self.head(key).bytes > offset:
                raise
            return self._looked_up(key, offset, length or 0)
        begin, end = answer.range
        if length is not None and end - begin < length:
            raise too_short(key, answer.meta["size"], offset + length)
        return whole(_stream(answer, key, STREAM_BYTES), key, end - begin)

    @counted("upload")
    def upload(self, path: Path, key: str, *, on_bytes: OnBytes = lambda _: None) -> str | None:
        """Write a file."""
        told = _Told(file_length(path), on_bytes)
        try:
            etag = self._put_file(path, key, told)
        except ObjectNotFound:
            # The upload in parts is gone: the answer to its last call was lost, or a sweep of
            # abandoned uploads took it. Whichever it was, once more is right.
            etag = self._put_file(path, key, _Told(told.length, lambda _: None))
        self._keep(key)
        told.rest()
        return etag or self.head(key).etag  # Ceph names none when it has put parts together

    def list_below(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a folder's key."""
        with counted("list"), translated(prefix):
            for batch in obstore.list(self._store, prefix):
                yield from map(_info, batch)

    @counted("delete")
    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects."""
        wanted = list(keys)
        # S3 takes a batch and minds no missing object; the others stop at the first one.
        batches = [wanted] if isinstance(self._store, S3Store) else [[key] for key in wanted]
        for batch in filter(None, batches):
            self._repeated(partial(self._delete, batch))

    def sign(
        self, method: Literal["GET", "PUT"], keys: Sequence[str], *, expires_s: int
    ) -> list[str]:
        """Make presigned URLs."""
        if not isinstance(self._store, S3Store):
            raise StorageRefused("Only a bucket can make presigned links.")
        with translated("links"):
            return list(obstore.sign(self._store, method, list(keys), timedelta(seconds=expires_s)))

    def _keep(self, key: str) -> None:
        """Have what was written survive a power cut: obstore leaves that to the system."""
        if self._folder is not None:
            with translated(key):
                sync_object(self._folder, key)

    def _delete(self, keys: Sequence[str]) -> None:
        with suppress(ObjectNotFound), translated(keys[0]):
            obstore.delete(self._store, keys)

    def _chunks(self, key: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """The object's length, and its bytes from ``offset`` on as they come."""
        if offset:
            length = self.head(key).bytes
            if length < offset:
                raise too_short(key, length, offset)
            if length == offset:  # a range of no bytes is an error to S3
                return length, iter(())
        with translated(key):
            answer = obstore.get(
                self._store, key, options={"range": {"offset": offset}} if offset else None
            )
        return answer.meta["size"], _stream(answer, key, _CHUNK_BYTES)

    def _looked_up(self, key: str, offset: int, length: int | None) -> Iterator[bytes]:
        """A range of no bytes, or of a file, of an object that must be there."""
        info = self.head(key)
        needed = offset + (length or 0)
        if info.bytes < needed:
            raise too_short(key, info.bytes, needed)
        left = info.bytes - offset if length is None else length
        if not left or self._folder is None:
            return iter(())
        return whole(file_chunks(self._folder / info.key, key, offset, left), key, left)

    def _put_file(self, path: Path, key: str, told: "_Told") -> str | None:
        size = part_bytes(told.length, PART_BYTES)
        source = told.blocks(blocks(path, size, length=told.length))
        with translated(key):
            if told.length <= size:
                put = obstore.put(self._uploads, key, b"".join(source), use_multipart=False)
            else:
                put = obstore.put(
                    self._uploads, key, source, chunk_size=size, max_concurrency=IN_FLIGHT
                )
        return put["e_tag"]

    def _repeated(self, call: Callable[[], None]) -> None:
        """Make a call that obstore does not repeat after silence, though here it may be."""
        give_up_s = time.monotonic() + self._retry_s
        while True:
            try:
                return call()
            except StorageUnavailable:
                if time.monotonic() > give_up_s:
                    raise


class _Told:
    """Says how much was sent: a block that was read is under way until ``IN_FLIGHT`` later ones."""

    def __init__(self, length: int, on_bytes: OnBytes) -> None:
        self.length = length
        self._left = length
        self._on_bytes = on_bytes

    def blocks(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass blocks on."""
        under_way: deque[int] = deque()
        for block in blocks:
            if len(under_way) == IN_FLIGHT:
                self._tell(under_way.popleft())
            under_way.append(len(block))
            yield block

    def rest(self) -> None:
        """All is sent."""
        if self._left:
            self._tell(self._left)

    def _tell(self, sent: int) -> None:
        self._left -= sent
        self._on_bytes(sent)


def _stream(answer: "GetResult", key: str, chunk_bytes: int) -> Iterator[bytes]:
    with translated(key):
        yield from answer.stream(chunk_bytes)


def _info(facts: "ObjectMeta") -> ObjectInfo:
    return ObjectInfo(facts["path"], facts["size"], facts["e_tag"], facts["last_modified"])
