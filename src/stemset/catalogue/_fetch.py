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
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from stemset.catalogue._part import Part
from stemset.catalogue._source import (
    Source,
    TryAgain,
    by_hand,
    content_range_of,
    http_client,
    length_of,
    validator_of,
)
from stemset.catalogue.entry import PublishedFile
from stemset.errors import ModelCorrupt, ModelDownloadFailed

_STALL_S = 60.0
_TRIES = 5
_FIRST_PAUSE_S = 0.5
_MAX_BYTES = 4 << 30  # where no length is published
_SHA256_DIGITS = 64
_SHA256_START = re.compile(rf"[0-9a-f]{{8,{_SHA256_DIGITS}}}")


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
    part = Part(file, target)
    with http_client(stall_s) as client:
        source = Source(client, file, token)
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


class _Transfer:
    """Brings a file's bytes into its part."""

    def __init__(
        self,
        source: Source,
        file: PublishedFile,
        part: Part,
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
                except TryAgain as broken:
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
                    self._part.begin(validator_of(response))
                    self._write(response, length_of(response))
                case httpx.codes.PARTIAL_CONTENT:
                    self._write(response, self._joined(response, start))
                case _:  # the range is not satisfiable: nothing follows the bytes that are here
                    self._check_end(response)

    def _joined(self, response: httpx.Response, start: int) -> int | None:
        """Check that the answer goes on with what is here. Returns the whole file's length."""
        first, total = content_range_of(response)
        same_version = validator_of(response) in {None, self._part.validator}
        if first != start or not start or not same_version:
            self._part.delete()
            raise TryAgain("the server does not go on with the file that it began")
        self._part.is_joined = True
        return total

    def _check_end(self, response: httpx.Response) -> None:
        _, total = content_range_of(response)
        if not total or total != self._part.size_bytes:
            self._part.delete()
            raise TryAgain("the server has no such range of the file")

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
            raise TryAgain(f"the answer ended before {expected:,} bytes")

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
            f"comes again, the host or a proxy serves another file. {by_hand(self._file)}"
        )

    def _given_up(self, broken: TryAgain) -> ModelDownloadFailed:
        size = self._part.size_bytes
        of = f" of {self._file.size_bytes:,}" if self._file.size_bytes else ""
        return ModelDownloadFailed(
            f"{self._file.url} could not be fetched: {broken}. {size:,}{of} bytes are here and are "
            "kept. Check the network (HTTPS_PROXY and SSL_CERT_FILE are heeded) and try again. "
            f"{by_hand(self._file)}"
        )


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
