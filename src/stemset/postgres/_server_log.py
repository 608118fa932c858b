"""What the server said: the reason of a failure, and files that do not grow for ever."""

import re
from contextlib import suppress
from pathlib import Path

from stemset.errors import DatabaseStartFailed, NoSpace, StemsetError
from stemset.postgres._folders import read_file
from stemset.postgres._place import Place

_PREFIX = re.compile(r"^[\d-]+ [\d:.]+ UTC \[\d+\] ")
_SERIOUS = re.compile(r"\b(?:FATAL|PANIC): +")
_KEPT_BYTES = 16 * 2**20
_NO_SPACE = ("No space left on device", "Disk quota exceeded")


def why(text: str) -> str:
    """The line of a log that says why the server ended: the last serious one, or the last."""
    lines = [_PREFIX.sub("", line).strip() for line in text.splitlines() if line.strip()]
    serious = [line for line in lines if _SERIOUS.search(line)]
    return (serious or lines or ["it said nothing"])[-1]


def last_words(place: Place) -> str:
    """What the server that was started last said, until now."""
    texts = [read_file(place.start_log) or ""]
    with suppress(OSError):
        started = place.start_log.stat().st_ctime
        newest = max(place.log.glob("*.log"), key=_modified, default=None)
        if newest and _modified(newest) >= started:
            texts.append(read_file(newest, 4096) or "")
    return "\n".join(texts)


def start_failure(what: str, text: str) -> StemsetError:
    """The error for a program of PostgreSQL's that ended."""
    message = f"{what}: {why(text)}"
    if any(words in text for words in _NO_SPACE):
        return NoSpace(f"The disk is full. {message}")
    return DatabaseStartFailed(message)


def trim_logs(place: Place) -> None:
    """Before a start: remove the oldest logs until the rest is small enough."""
    kept = 0
    for file in sorted(place.log.glob("*.log"), key=_modified, reverse=True):
        kept += file.lstat().st_size
        if kept > _KEPT_BYTES:
            file.unlink(missing_ok=True)


def _modified(file: Path) -> float:
    try:
        return file.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
