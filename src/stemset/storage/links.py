"""Presigned links for one order: of its recording, and of files in its attempt's own folder."""

from collections.abc import Sequence
from contextlib import suppress

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound
from stemset.storage._multipart import Multipart
from stemset.storage._parts import MAX_PARTS
from stemset.storage.exchange import Wanted
from stemset.storage.keys import AttemptFolder, check_input_key
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

DEFAULT_EXPIRES_S = 3600


class LinkMaker:
    """Makes links, whichever are asked for, as long as they are the order's own."""

    def __init__(
        self,
        settings: StoreSettings,
        input_key: str,
        folder: AttemptFolder,
        *,
        expires_s: int = DEFAULT_EXPIRES_S,
    ) -> None:
        """Make links for one recording and one folder.

        Args:
            settings: The bucket, with its keys.
            input_key: The recording.
            folder: The attempt's folder.
            expires_s: How long a link is valid, 1 s to 7 days.

        Raises:
            InvalidKey: ``input_key`` is no recording's.
            StorageRefused: Links can be made for a bucket only.
        """
        self._store = open_store(settings)
        self._multipart = Multipart(settings)
        self._input_key = check_input_key(input_key)
        self._folder = folder
        self._expires_s = expires_s

    def make(self, wanted: Sequence[Wanted]) -> list[str]:
        """Make links, in order; empty for an upload in parts that was to be completed.

        Raises:
            InvalidKey: A name is no file's of an attempt, or the recording was to be written.
            ObjectCorrupt: An upload cannot be completed of these parts.
            StorageError: The bucket does not answer or refuses.
        """
        return [self._make(each) for each in wanted]

    def abandon(self) -> None:
        """Drop uploads in parts that were begun in the folder and not completed."""
        for each in list(self._multipart.under_way(f"{self._folder.prefix}/")):
            with suppress(ObjectNotFound):
                self._multipart.abort(each.key, each.upload_id)

    def _make(self, wanted: Wanted) -> str:
        key = self._key(wanted)
        if wanted.etags is not None:
            self._complete(key, wanted)
            return ""
        if wanted.part is not None:
            return self._part_url(key, wanted.part)
        (url,) = self._store.sign(wanted.method, [key], expires_s=self._expires_s)
        return url

    def _key(self, wanted: Wanted) -> str:
        if wanted.name:
            return self._folder.key(wanted.name)
        if wanted.method != "GET":
            raise InvalidKey("The recording is not to be written.")
        return self._input_key

    def _part_url(self, key: str, part: int) -> str:
        if not 1 <= part <= MAX_PARTS:
            raise InvalidKey(f"{part} is no number of a part: 1 to {MAX_PARTS}.")
        upload_id = self._multipart.upload_id(key) or self._multipart.begin(key)
        return self._multipart.part_url(key, upload_id, part, expires_s=self._expires_s)

    def _complete(self, key: str, wanted: Wanted) -> None:
        """Complete an upload; one that is complete already, its answer being lost, is fine."""
        if upload_id := self._multipart.upload_id(key):
            with suppress(ObjectNotFound):
                self._multipart.complete(key, upload_id, wanted.etags or ())
        if self._store.head(key).bytes != wanted.bytes:
            raise ObjectCorrupt(f"{key} does not have {wanted.bytes} bytes after its parts.")
