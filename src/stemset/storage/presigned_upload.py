"""Recordings that a client puts into the bucket itself, part by part, with presigned links.

The service begins an upload, hands out links, and ends it; the bytes never come to the service. So
whoever uses what was put must look at its length and hash.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stemset.errors import ObjectNotFound
from stemset.storage._multipart import Multipart, Part
from stemset.storage._parts import part_bytes
from stemset.storage.keys import check_input_key
from stemset.storage.settings import StoreSettings

__all__ = ["EXPIRES_S", "Abandoned", "Part", "PresignedUploads", "part_length"]

EXPIRES_S = 3600
"""How long a link to a part is valid; another can be asked for at any time."""

_OURS = ("inputs/", "outputs/")


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An upload in parts that nobody goes on with.

    Attributes:
        key: Where the object was to lie.
        multipart_id: The bucket's name of the upload.
        bytes: Length of the parts that were put.
        touched_at: When the last one was put, or when it was begun.
    """

    key: str
    multipart_id: str
    bytes: int
    touched_at: datetime


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

    def abandoned(self, older_than: timedelta, *, but: Collection[str]) -> Iterator[Abandoned]:
        """Find uploads that nobody goes on with, of recordings and of stems, whoever began them.

        Args:
            older_than: Only those to which nothing was put for so long.
            but: Ids of uploads that are gone on with.
        """
        before = datetime.now(UTC) - older_than
        for prefix in _OURS:
            for each in self._multipart.under_way(prefix):
                if each.begun_at < before and each.upload_id not in but:
                    with suppress(ObjectNotFound):  # it has just ended
                        parts = self.parts(each.key, each.upload_id)
                        touched_at = max(part.put_at for part in parts) if parts else each.begun_at
                        if touched_at < before:
                            length = sum(part.bytes for part in parts)
                            yield Abandoned(each.key, each.upload_id, length, touched_at)
