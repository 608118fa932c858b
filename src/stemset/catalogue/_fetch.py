"""Fetch one published file of weights over https, and go on where an earlier try stopped.

```text
<target>.part        the bytes that have arrived
<target>.part.json   which version of the file they are of, as the server names it
<target>             the file, whole and verified
```

The hash decides: whatever a server says of lengths and ranges, only bytes with the published hash
come to stand at the target.
"""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx

from stemset.audio.files import sync_folder
from stemset.catalogue.entry import PublishedFile
from stemset.errors import ModelCorrupt, ModelDownloadFailed

# It logs the URL of every request, and some hosts redirect to URLs that are secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

_STALL_S = 60.0
_CONNECT_S = 10.0
_TRIES = 5
_FIRST_PAUSE_S = 0.5
_LONGEST_ADVISED_PAUSE_S = 60.0
_MAX_REDIRECTS = 10
_MAX_BYTES = 4 << 30  # where no length is published
_SHA256_DIGITS = 64
_SHA256_START = re.compile(rf"[0-9a-f]{{8,{_SHA256_DIGITS}}}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(?:(\d{1,18})|\*)")


def fetch(
    file: PublishedFile,
    target: Path,
    *,
    on_bytes: Callable[[int], None] | None = None,
    stall_s: float = _STALL_S,
    first_pause_s: float = _FIRST_PAUSE_S,
    token: str | None = None,
) -> str:
    """Fetch a file, all or nothing; what a broken fetch left is gone on with.

    A broken connection is tried again after a pause, and five times in a row may bring nothing.
    Proxies and certificates are those of the environment (``HTTPS_PROXY``, ``SSL_CERT_FILE``).

    Args:
        file: What to fetch: an https URL, or http on this machine.
        target: Where to put it, replacing what is there; its folder must exist, and only one
            process at a time may fetch to it.
        on_bytes: Called after every block with the number of bytes that are here, those of an
            earlier fetch included; the number falls if the file must be begun anew.
        stall_s: A connection that brings no byte for so long is broken.
        first_pause_s: The pause before the second try; every further one is twice as long.
        token: Sent to the URL's own origin, and to none that it redirects to.

    Returns:
        SHA-256 of the file.

    Raises:
        ModelDownloadFailed: The file could not be fetched. What has arrived is kept.
        ModelCorrupt: What came is not the published file. It is deleted.
        OSError: The disk is full, or the folder cannot be written to.
        ValueError: The published hash is no beginning of a SHA-256, or of fewer than 8 digits.
    """
    if not _SHA256_START.fullmatch(file.sha256):
        raise ValueError(f"{file.sha256!r} is not 8 to 64 lower-case digits of a SHA-256.")
    part = _Part(file, target)
    with _client(stall_s) as client:
        source = _Source(client, file, token)
        transfer = _Transfer(source, file, part, on_bytes or _ignore)
        try:
            sha256 = transfer.run(first_pause_s)
        except ModelCorrupt:
            if not part.is_joined:
                raise
            # A start and an end of different files, perhaps: only a whole answer is the file's own.
            sha256 = transfer.run(first_pause_s)
    part.put_in_place()
    return sha256


def _ignore(_arrived: int) -> None:
    pass


@contextmanager
def _client(stall_s: float) -> Iterator[httpx.Client]:
    # Of silence, not of the whole transfer: httpx counts each read by itself.
    timeout = httpx.Timeout(stall_s, connect=min(stall_s, _CONNECT_S))
    try:
        client = httpx.Client(timeout=timeout, follow_redirects=False)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise ModelDownloadFailed(
            "The settings for proxies and certificates in the environment (HTTPS_PROXY, ALL_PROXY, "
            f"SSL_CERT_FILE, …) cannot be used: {error}."
        ) from error
    with client:
        yield client


class _TryAgain(Exception):
    """A try broke off; another one may do better."""

    def __init__(self, reason: str, advised_s: float = 0.0) -> None:
        super().__init__(reason)
        self.advised_s = advised_s


class _Transfer:
    """Brings a file's bytes into its part."""

    def __init__(
        self,
        source: "_Source",
        file: PublishedFile,
        part: "_Part",
        on_bytes: Callable[[int], None],
    ) -> None:
        self._source = source
        self._file = file
        self._part = part
        self._on_bytes = on_bytes

    def run(self, first_pause_s: float) -> str:
        """Receive until the part is whole, and verify it.

        Returns:
            SHA-256 of the part.

        Raises:
            ModelDownloadFailed: The server refuses, or tries bring nothing.
            ModelCorrupt: The part is another file; it is deleted.
        """
        patience = _Patience(self._part.size_bytes, first_pause_s)
        try:
            while self._part.size_bytes != self._file.size_bytes:
                try:
                    self._receive()
                    break
                except _TryAgain as broken:
                    if not patience.wait(self._part.size_bytes, broken.advised_s):
                        raise self._given_up(broken) from broken
            return self._verified()
        except ModelCorrupt:
            self._part.delete()
            raise

    def _receive(self) -> None:
        """Receive what is missing. Returns when the server has no more."""
        start = self._part.size_bytes if self._part.validator else 0
        with self._source.answer(start, self._part.validator) as response:
            match response.status_code:
                case httpx.codes.OK:
                    self._part.begin(_validator(response))
                    self._write(response, _length(response))
                case httpx.codes.PARTIAL_CONTENT:
                    self._write(response, self._joined(response, start))
                case _:  # the range is not satisfiable: nothing follows the bytes that are here
                    self._check_end(response)

    def _joined(self, response: httpx.Response, start: int) -> int | None:
        """Check that the answer goes on with what is here. Returns the whole file's length."""
        first, total = _content_range(response)
        same_version = _validator(response) in {None, self._part.validator}
        if first != start or not start or not same_version:
            self._part.delete()
            raise _TryAgain("the server does not go on with the file that it began")
        self._part.is_joined = True
        return total

    def _check_end(self, response: httpx.Response) -> None:
        _, total = _content_range(response)
        if not total or total != self._part.size_bytes:
            self._part.delete()
            raise _TryAgain("the server has no such range of the file")

    def _write(self, response: httpx.Response, total: int | None) -> None:
        """Append an answer to the part.

        Args:
            response: The answer.
            total: Length of the whole file, as the server says.
        """
        limit = self._file.size_bytes or min(total or _MAX_BYTES, _MAX_BYTES)
        with self._part.path.open("ab") as out:
            # As they come, at most 64 KiB: what httpx collects is lost when the connection breaks.
            for block in response.iter_raw():
                if out.tell() + len(block) > limit:
                    raise ModelCorrupt(self._other_file(f"more than {limit:,} bytes"))
                out.write(block)
                self._on_bytes(out.tell())
        expected = self._file.size_bytes or total or 0
        if self._part.size_bytes < expected:
            raise _TryAgain(f"the answer ended before {expected:,} bytes")

    def _verified(self) -> str:
        size = self._part.size_bytes
        with self._part.path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        if size != (self._file.size_bytes or size) or not sha256.startswith(self._file.sha256):
            raise ModelCorrupt(self._other_file(f"{size:,} bytes with sha256 {sha256}"))
        return sha256

    def _other_file(self, found: str) -> str:
        size, sha256 = self._file.size_bytes, self._file.sha256
        more = "…" if len(sha256) < _SHA256_DIGITS else ""
        expected = f"{size:,} bytes with sha256 {sha256}" if size else f"sha256 {sha256}"
        return (
            f"What came from {self._file.url} is not the file that the catalogue names: found "
            f"{found}, expected {expected}{more}. It has been deleted. Try again; if the same "
            f"comes again, the host or a proxy serves another file. {_by_hand(self._file)}"
        )

    def _given_up(self, broken: _TryAgain) -> ModelDownloadFailed:
        size = self._part.size_bytes
        of = f" of {self._file.size_bytes:,}" if self._file.size_bytes else ""
        return ModelDownloadFailed(
            f"{self._file.url} could not be fetched: {broken}. {size:,}{of} bytes are here and are "
            "kept. Check the network (HTTPS_PROXY and SSL_CERT_FILE are heeded) and try again. "
            f"{_by_hand(self._file)}"
        )


def _by_hand(file: PublishedFile) -> str:
    return f"Or put {file.name} into a folder by hand and install it with `--from FOLDER`."


class _Patience:
    """Counts the tries that brought nothing, with pauses that grow."""

    def __init__(self, arrived: int, first_pause_s: float) -> None:
        """Begin with ``arrived`` bytes."""
        self._farthest = arrived
        self._first_pause_s = first_pause_s
        self._tries = 0

    def wait(self, arrived: int, advised_s: float) -> bool:
        """Wait before the next try.

        Args:
            arrived: Bytes that are here. Begun anew, a file must come farther than ever before to
                count as progress, or a server without ranges could be asked forever.
            advised_s: The least pause, as the server asks.

        Returns:
            Whether there is a next try.
        """
        if arrived > self._farthest:
            self._farthest, self._tries = arrived, 0
        self._tries += 1
        if self._tries == _TRIES:
            return False
        time.sleep(max(advised_s, self._first_pause_s * 2 ** (self._tries - 1)))
        return True


class _Source:
    """Where a file is published."""

    def __init__(self, client: httpx.Client, file: PublishedFile, token: str | None) -> None:
        self._client = client
        self._file = file
        self._url = httpx.URL(file.url)
        self._token = (token or "").strip()
        if self._token and not _TOKEN.fullmatch(self._token):
            raise ModelDownloadFailed(
                f"The token for {self._url} holds characters that no token has."
            )

    @contextmanager
    def answer(self, start: int, validator: str | None) -> Iterator[httpx.Response]:
        """Ask for the file.

        Args:
            start: First byte that is wanted.
            validator: The version whose end is wanted; the whole file comes if there is another.

        Yields:
            An answer of status 200, 206 or 416, its body not yet read.

        Raises:
            ModelDownloadFailed: The server refuses for good.
            _TryAgain: The connection broke, here or within the block, or the server is busy.
        """
        headers = {"Accept-Encoding": "identity"}  # what is hashed is what is published
        if start and validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        with self._in_our_words(), self._last_answer(headers) as response:
            self._check(response)
            yield response

    @contextmanager
    def _last_answer(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Follow redirects."""
        url = self._url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_safe(url)
            sent = headers | self._authorization(url)
            with self._client.stream("GET", url, headers=sent) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = url.join(response.headers["Location"])
        raise ModelDownloadFailed(f"{self._url} redirects more than {_MAX_REDIRECTS} times.")

    def _check_safe(self, url: httpx.URL) -> None:
        """Refuse to talk where others can listen; http may not leave this machine."""
        if url.scheme == "https" and url.host:
            return
        if url.scheme == self._url.scheme == "http" and _is_loopback(url.host):
            return
        asked = "" if url == self._url else f" redirects to {url.scheme}://{url.host}, which"
        raise ModelDownloadFailed(f"{self._url}{asked} is not https: nothing was fetched.")

    def _authorization(self, url: httpx.URL) -> dict[str, str]:
        if self._token and _origin(url) == _origin(self._url):
            return {"Authorization": f"Bearer {self._token}"}
        return {}

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in {200, 206, 416}:
            return
        said = f"{status} {httpx.codes.get_reason_phrase(status)}".strip()
        if status in {408, 425, 429} or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _TryAgain(f"the server answered {said}", _advised_s(response))
        raise ModelDownloadFailed(f"{self._url} was answered with {said}. {_by_hand(self._file)}")

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Translate httpx's errors."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise _TryAgain("no connection could be made in time") from error
        except httpx.TimeoutException as error:
            raise _TryAgain(f"no byte came for {self._client.timeout.read:g} s") from error
        except httpx.RequestError as error:
            raise _TryAgain(str(error).rstrip(".") or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise ModelDownloadFailed(f"{self._url} redirects to what is no URL.") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _advised_s(response: httpx.Response) -> float:
    """The pause that ``Retry-After`` asks for, within reason; a date counts as none."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_ADVISED_PAUSE_S) if text.isascii() and text.isdigit() else 0.0


def _validator(response: httpx.Response) -> str | None:
    """What names this version of the file in ``If-Range``. Source: RFC 9110, 13.1.5."""
    etag = response.headers.get("ETag", "W/")
    named = response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
    return named if named.isascii() and named.isprintable() and named else None


def _length(response: httpx.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """The first byte of an answer and the length of the whole file, each None if not said."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return (int(first) if first else None, int(total) if total else None)


class _Part:
    """What has arrived of a file, and which version of it that is.

    Attributes:
        path: Where it is.
        validator: The version's name, None if the server gave none, or another file was wanted.
        is_joined: Whether it may be made of several answers.
    """

    def __init__(self, file: PublishedFile, target: Path) -> None:
        """Take up what an earlier fetch left."""
        self.path = target.with_name(f"{target.name}.part")
        self._file = file
        self._target = target
        self._record = target.with_name(f"{target.name}.part.json")
        self.validator = self._recorded()
        self.is_joined = self.size_bytes > 0

    @property
    def size_bytes(self) -> int:
        """How many bytes are here."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def begin(self, validator: str | None) -> None:
        """Make it empty; what will come is of this version."""
        self.delete()  # first: no crash may leave old bytes under a new name
        self.path.touch()
        if validator:
            wanted = {"url": self._file.url, "sha256": self._file.sha256}
            record = wanted | {"validator": validator}
            self._record.write_text(json.dumps(record), encoding="utf-8")
        self.validator = validator
        self.is_joined = False

    def delete(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        self.validator = None

    def put_in_place(self) -> None:
        """Make it the target, atomically."""
        with self.path.open("rb") as content:
            os.fsync(content.fileno())
        self.path.rename(self._target)
        self._record.unlink(missing_ok=True)
        sync_folder(self._target.parent)

    def _recorded(self) -> str | None:
        try:
            record: object = json.loads(self._record.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        match record:
            case {
                "url": self._file.url,
                "sha256": self._file.sha256,
                "validator": str(validator),
            }:
                return validator
            case _:
                return None
