"""Finished exports, on this machine's disk.

```text
<scratch>/exports/<export_id>/mix.mp3        the file
                             /export.json    what it is
         /exports/.<export_id>-<random>/     one in the making, or what a killed process left
                                       /output  id of the output that it is made of
```
"""

import json
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stemset.audio.files import writing

KEPT_FOR = timedelta(days=1)

_FACTS = "export.json"
_OUTPUT = "output"
_UNTOUCHED_S = 3600.0
"""Another process of ours may be at work on a folder younger than this."""

_in_use: set[Path] = set()


@dataclass(frozen=True, slots=True)
class Finished:
    """An export that stands.

    Attributes:
        export_id: Its id.
        output_id: The output that it was made of.
        profile: That output's profile, which decides who may have it.
        filename: What it is saved as.
        file: Name of its file in its folder.
        bytes: Length of that file.
        duration_s: How long it plays.
        lowered_db: How much lower it is than was asked for, so that it fits into its file.
        made_at: When it was made, in seconds since 1970.
    """

    export_id: str
    output_id: str
    profile: str
    filename: str
    file: str
    bytes: int
    duration_s: float
    lowered_db: float
    made_at: float

    @property
    def key(self) -> str:
        """Where its file lies below the shelf."""
        return f"{self.export_id}/{self.file}"

    @property
    def expires_at(self) -> datetime:
        """When it may be removed."""
        return datetime.fromtimestamp(self.made_at, UTC) + KEPT_FOR


def find(shelf: Path, export_id: str) -> Finished | None:
    """Look a finished export up."""
    try:
        return Finished(**json.loads((shelf / export_id / _FACTS).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def all_finished(shelf: Path) -> Iterator[Finished]:
    """Every finished export."""
    for path in shelf.glob(f"*/{_FACTS}"):
        if finished := find(shelf, path.parent.name):
            yield finished


def outputs_in_use(shelf: Path) -> Collection[str]:
    """Ids of the outputs that exports are, or were, made of: finished ones, and all others."""
    ids = {finished.output_id for finished in all_finished(shelf)}
    for file in shelf.glob(f".*-*/{_OUTPUT}"):
        with suppress(FileNotFoundError):
            ids.add(file.read_text("utf-8"))
    return ids


@contextmanager
def making(shelf: Path, export_id: str, output_id: str) -> Iterator[Path]:
    """A folder to make an export in; whatever is left in it at the end is removed."""
    part = shelf / f".{export_id}-{secrets.token_hex(4)}"
    _in_use.add(part)
    try:
        with writing(shelf):
            part.mkdir(parents=True)
            (part / _OUTPUT).write_text(output_id, "utf-8")
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _in_use.discard(part)


def put(shelf: Path, part: Path, finished: Finished) -> None:
    """Let an export stand. Raises NoSpace, OutputUnwritable."""
    final = shelf / finished.export_id
    with writing(final):
        (part / _FACTS).write_text(json.dumps(asdict(finished), ensure_ascii=False), "utf-8")
        for file in part.iterdir():
            if file.name not in (_FACTS, finished.file):
                file.unlink()
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)


def remove(shelf: Path, export_id: str) -> None:
    """Remove a finished export, if there is one."""
    shutil.rmtree(shelf / export_id, ignore_errors=True)


def collect(shelf: Path, gone_outputs: Collection[str]) -> int:
    """Remove exports that are a day old, those of outputs that are gone, and what crashes left.

    Returns:
        How many exports were removed.
    """
    now = datetime.now(UTC)
    removed = 0
    for finished in all_finished(shelf):
        if finished.expires_at <= now or finished.output_id in gone_outputs:
            remove(shelf, finished.export_id)
            removed += 1
    for part in shelf.glob(".*-*"):
        with suppress(FileNotFoundError):
            if part not in _in_use and _touched_s(part) < time.time() - _UNTOUCHED_S:
                shutil.rmtree(part, ignore_errors=True)
    return removed


def _touched_s(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
