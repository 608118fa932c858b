"""Recordings that a client puts into the bucket itself, part by part, with presigned links.

The service begins an upload, hands out links, and ends it; the bytes never come to the service. So
whoever uses what was put must look at its length and hash.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from stemset.errors import ObjectNotFound
from stemset.storage._multipart import Multipart, Part
from stemset.storage._parts import part_bytes
from stemset.storage.keys import check_input_key
from stemset.storage.settings import StoreSettings

__all__ = ["EXPIRES_S", "Part", "PresignedUploads", "part_length"]

EXPIRES_S = 3600
"""How long a link to a part is valid; another can be asked for at any time."""

_INPUTS = "inputs/"


def part_length(size_bytes: int, at_least: int) -> int:
    """Length of all parts but the last, as every bucket takes them: equal, at most 10,000.

    Args:
        size_bytes: Length of the file.
        at_least: What is wanted; more if there were too many parts, or if they were too short.
    """
    return part_bytes(size_bytes, at_least)


class PresignedUploads:
    """Uploads of recordings. Every call raises StorageUnavailable, StorageRefused."""

    def __init__(self, settings: StoreSettings) -> None:
        """Reach a bucket. Raises StorageRefused if it is none."""
        self._multipart = Multipart(settings)

    def begin(self, key: str) -> str:
        """Begin an upload to a recording's key; returns its id. Raises InvalidKey."""
        return self._multipart.begin_another(check_input_key(key))

    def link(self, key: str, multipart_id: str, part: int) -> str:
        """Where the client puts a part, numbered from 1; the bucket is not asked."""
        return self._multipart.part_url(key, multipart_id, part, expires_s=EXPIRES_S)

    def parts(self, key: str, multipart_id: str) -> Sequence[Part]:
        """The parts that lie there, in order. Raises ObjectNotFound if there is no such upload."""
        return list(self._multipart.parts(key, multipart_id))

    def complete(self, key: str, multipart_id: str, parts: Sequence[Part]) -> None:
        """Make the recording of its parts, which must be all, in order.

        Raises:
            ObjectCorrupt: A part is not the one that was put.
            ObjectNotFound: There is no such upload, for example because it was completed.
        """
        self._multipart.complete(key, multipart_id, [part.etag for part in parts])

    def abort(self, key: str, multipart_id: str) -> None:
        """Drop an upload and its parts; one that is not there is no error."""
        with suppress(ObjectNotFound):
            self._multipart.abort(key, multipart_id)

    def abort_old(self, older_than: timedelta, *, but: Collection[str]) -> int:
        """Drop uploads of recordings that nobody goes on with, whoever began them.

        Args:
            older_than: Only those that were begun so long ago.
            but: Ids of uploads that are gone on with.

        Returns:
            How many there were.
        """
        before = datetime.now(UTC) - older_than
        old = self._multipart.begun_before(_INPUTS, before)
        dropped = [(key, each) for key, each in old if each not in but]
        for key, multipart_id in dropped:
            self.abort(key, multipart_id)
        return len(dropped)
