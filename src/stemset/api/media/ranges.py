"""Which part of a file a request asks for, and whether it has the file already.

Source: RFC 9110, 13 (conditions) and 14 (ranges). Of several ranges in one request none is given,
as the standard allows: the answer is the whole file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from stemset.storage.store import ObjectInfo

_RANGE = re.compile(
    r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of which file it is.

    Attributes:
        bytes: Its length.
        etag: A strong validator, in quotation marks.
        modified: When it was written.
    """

    bytes: int
    etag: str
    modified: datetime

    @property
    def last_modified(self) -> str:
        """The time as a header has it."""
        return format_datetime(self.modified, usegmt=True)


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for.

    Attributes:
        offset: Where it begins.
        length: How long it is; 0 if it begins beyond the end.
    """

    offset: int
    length: int


def version_of(info: ObjectInfo) -> Version:
    """The version of an object as the store tells it."""
    tag = (info.etag or f"{info.bytes:x}-{int(info.modified.timestamp()):x}").strip('"')
    return Version(info.bytes, f'"{tag}"', info.modified)


def is_known(headers: Mapping[str, str], version: Version) -> bool:
    """Whether the client has this version already: it is answered with 304."""
    tags = headers.get("if-none-match")
    if tags is None:
        return False
    known = {each.strip().removeprefix("W/") for each in tags.split(",")}
    return version.etag in known or "*" in known


def part_of(headers: Mapping[str, str], version: Version) -> Part | None:
    """The range that is asked for, None for the whole file."""
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or not _is_same(headers.get("if-range"), version):
        return None
    first, last, suffix = asked.groups()
    if suffix is not None:
        length = min(int(suffix), version.bytes)
        return Part(version.bytes - length, length)
    begin = int(first)
    end = min(int(last) + 1, version.bytes) if last else version.bytes
    if last and int(last) < begin:
        return None  # no range at all, says the standard
    return Part(begin, max(end - begin, 0))


def _is_same(condition: str | None, version: Version) -> bool:
    """Whether a range is of the version that the client has the rest of."""
    return condition is None or condition.strip() in (version.etag, version.last_modified)
