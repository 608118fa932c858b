"""An output as one ZIP file, made while it is sent.

Stems are stored as they are: they do not compress. So the archive's length is known before the
first byte, and there is no limit to it: where 4 GB are not enough, the 64-bit form is used.

``zipstream-ng`` writes it: kept for years, pure Python without dependencies, tested against every
reader of note, and the only one of its kind that foretells the length of an archive. ``stream-zip``
reads a stored file whole into memory first, or wants its CRC-32 before its bytes, which would be
read twice for that.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zipstream.ng import ZIP_STORED, ZipStream

from stemset.api.media.names import file_name
from stemset.jobs.outputs import Contents
from stemset.storage.keys import METADATA
from stemset.storage.store import Store


class Archive:
    """A folder named like the recording, with the stems and their metadata.

    It looks as if a command line had made it, without pictures and peaks. Each file's name is the
    stem's own: unique, and made of characters that every system takes.
    """

    def __init__(self, store: Store, contents: Contents) -> None:
        """Lay the archive out; nothing is read yet."""
        self.name = file_name(contents.output.recording_name)
        self._zip = ZipStream(compress_type=ZIP_STORED, sized=True)
        for file in stem_files(contents.metadata):
            length = contents.length(file)
            data = _read(store, contents.folder.key(file), length)
            self._zip.add(data, f"{self.name}/{file}", size=length)
        text = json.dumps(contents.metadata, indent=2, ensure_ascii=False) + "\n"
        self._zip.add(text.encode(), f"{self.name}/{METADATA}")

    def __len__(self) -> int:
        """Its length in bytes."""
        return len(self._zip)

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, to be read once."""
        return iter(self._zip)


def stem_files(metadata: Mapping[str, Any]) -> list[str]:
    """Names of the stems' files."""
    return list(dict.fromkeys(stem["stem_url"] for stem in metadata["stems"].values()))


def _read(store: Store, key: str, length: int) -> Iterable[bytes]:
    """Open a file when its turn has come."""
    yield from store.stream(key, length=length)
