"""Output folders: made beside their place, under a lock, and moved there whole.

```text
<root>/<output_name>/          an output: metadata.json and the files that it names
      /.<output_name>.part/    an output in the making, or what a killed run left
      /.<output_name>.old/     an output that is being replaced
      /.<output_name>.lock     held by the process that makes this output
```

A killed run leaves a part folder that nobody takes for an output; the next run of the same
recording clears it. A run that was killed between the two renames of a replacement has its old
output put back.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemset.audio.files import sync_file, sync_folder, writing
from stemset.errors import OutputBusy

METADATA_NAME = "metadata.json"


@dataclass(frozen=True, slots=True)
class OutputInTheMaking:
    """A folder to write into.

    Attributes:
        part: Where files are written.
        final: Where they will stand.
    """

    part: Path
    final: Path

    def commit(self, metadata: Mapping[str, object]) -> None:
        """Write the metadata and put the folder into its place, all at once.

        Raises:
            NoSpace: The disk is full.
            OutputUnwritable: The folder cannot be moved.
        """
        with writing(self.final):
            text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
            (self.part / METADATA_NAME).write_text(text, "utf-8")
            for file in self.part.iterdir():
                sync_file(file)
            sync_folder(self.part)
            old = _hidden(self.final, "old")
            if self.final.exists():
                self.final.rename(old)
            self.part.rename(self.final)
            sync_folder(self.final.parent)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def making_output(root: Path, name: str) -> Iterator[OutputInTheMaking]:
    """Hold an output's lock and an empty part folder; what was not committed is removed.

    Raises:
        OutputBusy: Another process makes this output.
        OutputUnwritable: The folder cannot be written to.
        NoSpace: The disk is full.
    """
    final = root / name
    part, lock = _hidden(final, "part"), _hidden(final, "lock")
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(lock, final)
    try:
        _recover(final)
        with writing(part):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        try:
            yield OutputInTheMaking(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def read_metadata(folder: Path) -> dict[str, Any] | None:
    """Read an output's metadata; None if there is none that can be read."""
    try:
        metadata = json.loads((folder / METADATA_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return metadata if isinstance(metadata, dict) else None


def _locked(lock: Path, final: Path) -> int:
    """Open and lock the lock file; who holds a lock removes the file when it is done."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputBusy(f"Another process is making {final} right now.") from error
        # Between opening and locking, the holder may have removed the file: then it locks nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)


def _recover(final: Path) -> None:
    """Finish what a run left that was killed while it replaced an output."""
    old = _hidden(final, "old")
    if old.exists() and not final.exists():
        old.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _hidden(final: Path, what: str) -> Path:
    return final.with_name(f".{final.name}.{what}")
