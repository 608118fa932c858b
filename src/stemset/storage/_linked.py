"""An exchange with presigned links: the worker holds no key, the orderer makes each link."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from stemset.audio.files import writing
from stemset.errors import ObjectCorrupt, ObjectExists, StorageRefused
from stemset.storage._parts import blocks, file_length, part_bytes
from stemset.storage._transport import Body, Link, Patience, Transport
from stemset.storage.exchange import Wanted
from stemset.storage.settings import DEFAULT_RETRY_S
from stemset.storage.store import OnBytes

MAX_PUT_BYTES = 5_000_000_000
"""R2 takes 4.995 GiB in one request, S3 5 GiB."""

_PART_BYTES = 64 << 20
_BLOCK_BYTES = 256 << 10
_READ_LIMIT_BYTES = 1 << 20
_INPUT = Wanted("GET")


class LinkedExchange:
    """The recording and the attempt's folder, by presigned links; the port is ``Exchange``.

    Links that come with the order are used first; what is missing or has expired is asked for.
    """

    def __init__(
        self,
        input_url: str,
        urls: Mapping[str, str],
        ask: Callable[[Sequence[Wanted]], Sequence[str]],
        *,
        retry_s: float = DEFAULT_RETRY_S,
        max_put_bytes: int = MAX_PUT_BYTES,
    ) -> None:
        """Reach one recording and one folder.

        Args:
            input_url: Where to get the recording.
            urls: Where to put files, by name.
            ask: Gets links, one for each that is wanted, in order; any thread may call it.
            retry_s: How long a call is tried again while the store does not answer.
            max_put_bytes: Longer files are put in parts.
        """
        self._urls = {_INPUT: input_url} | {Wanted("PUT", name): url for name, url in urls.items()}
        self._ask = ask
        self._transport = Transport(retry_s)
        self._max_put_bytes = max_put_bytes

    def fetch(self, path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None) -> None:
        """Download the recording; a transfer that breaks goes on where it was."""
        with writing(path), path.open("r+b" if offset else "wb") as file:
            file.truncate(offset)
            file.seek(offset)

            def take(response: httpx.Response, patience: Patience) -> None:
                for block in _from(response, file.tell()):
                    file.write(block)
                    on_bytes(len(block))
                    patience.reset()

            self._transport.call(
                "GET", "the recording", self._link(_INPUT), lambda: _rest(file.tell()), take
            )

    def put(self, path: Path, name: str, *, on_bytes: OnBytes = lambda _: None) -> str | None:
        """Upload a file, a long one in parts; returns its ETag."""
        length = file_length(path)
        if length <= self._max_put_bytes:
            etag = self._put(Wanted("PUT", name, bytes=length), path, 0, length, on_bytes)
        else:
            self._put_parts(path, name, length, on_bytes)
            etag = self._etag(name)
        return etag or None

    def create(self, name: str, data: bytes) -> None:
        """Create a small object once; one that was made by a try whose answer was lost is ours."""
        body = Body({"If-None-Match": "*"}, data)
        try:
            link = self._link(Wanted("PUT", name, bytes=len(data)))
            self._transport.call("PUT", name, link, lambda: body)
        except ObjectExists:
            if self.read(name) != data:
                raise

    def read(self, name: str) -> bytes:
        """Read a small object."""

        def take(response: httpx.Response, _: Patience) -> bytes:
            data = b""
            for block in response.iter_raw(_BLOCK_BYTES):
                data += block
                if len(data) > _READ_LIMIT_BYTES:
                    raise ObjectCorrupt(f"{name} has more than {_READ_LIMIT_BYTES} bytes.")
            return data

        return self._transport.call("GET", name, self._link(Wanted("GET", name)), take=take)

    def _put_parts(self, path: Path, name: str, length: int, on_bytes: OnBytes) -> None:
        size = part_bytes(length, min(_PART_BYTES, self._max_put_bytes))
        starts = range(0, length, size)
        etags = [
            self._put(
                Wanted("PUT", name, bytes=min(size, length - start), part=n, parts=len(starts)),
                path,
                start,
                min(size, length - start),
                on_bytes,
            )
            for n, start in enumerate(starts, 1)
        ]
        self._ask([Wanted("PUT", name, bytes=length, parts=len(etags), etags=tuple(etags))])

    def _etag(self, name: str) -> str:
        """The ETag of an object that the orderer has put together of its parts."""
        link = self._link(Wanted("GET", name))
        first_byte = Body({"Range": "bytes=0-0"})
        return self._transport.call("GET", name, link, lambda: first_byte, _etag_of)

    def _put(self, wanted: Wanted, path: Path, start: int, length: int, on_bytes: OnBytes) -> str:
        """Put a file or a part of it; returns its ETag."""
        told = _Told(on_bytes)
        return self._transport.call(
            "PUT",
            wanted.name,
            self._link(wanted),
            lambda: Body({"Content-Length": str(length)}, told.blocks(path, start, length)),
            _etag_of,
        )

    def _link(self, wanted: Wanted) -> Link:
        known = Wanted(wanted.method, wanted.name, part=wanted.part)

        def ask() -> str:
            urls = self._ask([wanted])
            if len(urls) != 1:
                raise StorageRefused(f"One link was asked for, {len(urls)} came.")
            self._urls[known] = urls[0]
            return urls[0]

        return Link(ask, self._urls.get(known))


class _Told:
    """Says how much was sent; what a further try sends again is not told again."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._told = 0

    def blocks(self, path: Path, start: int, length: int) -> Iterator[bytes]:
        sent = 0
        for block in blocks(path, _BLOCK_BYTES, start=start, length=length):
            yield block
            sent += len(block)
            if sent > self._told:
                self._on_bytes(sent - self._told)
                self._told = sent


def _etag_of(response: httpx.Response, _: Patience) -> str:
    return response.headers.get("ETag", "")


def _rest(position: int) -> Body:
    """Ask for what is missing, and the last byte before: a range of no bytes is an error."""
    return Body({"Range": f"bytes={position - 1}-"}) if position else Body()


def _from(response: httpx.Response, position: int) -> Iterator[bytes]:
    """The bytes that were missing."""
    data = response.iter_raw()  # as they come: what is collected is lost when the connection breaks
    if position:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {position - 1}-"):
            raise StorageRefused("The bucket does not answer with the range that was asked for.")
        yield next(data, b"")[1:]
    yield from data
