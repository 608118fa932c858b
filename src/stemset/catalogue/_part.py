"""What has arrived of a file that is being fetched, beside the place that it is meant for."""

import json
import os
from pathlib import Path

from stemset.audio.files import sync_folder
from stemset.catalogue.entry import PublishedFile


class Part:
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
