"""Rows of uploads: what is written of one, and what is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Select, select

from stemset.jobs import tables


class Method(StrEnum):
    """How the bytes come."""

    WHOLE = "whole"
    DIRECT = "direct"
    PRESIGNED = "presigned"


class UploadState(StrEnum):
    """How far an upload is."""

    RECEIVING = "receiving"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An upload that is to be begun.

    Attributes:
        id: Its id, if it is a new one.
        owner: Who sends it.
        filename: Name of the file, as people see it.
        profile: The profile below whose name it is to lie.
        method: How its bytes come.
        size_bytes: Its length.
        part_bytes: Length of all parts but the last; None if it comes in one piece.
        sha256: Its hash, as far as it is known.
        mark: How the client knows the file again.
        input_key: Where it is to lie, if that is known.
    """

    id: str
    owner: str
    filename: str
    profile: str
    method: Method
    size_bytes: int
    part_bytes: int | None = None
    sha256: str | None = None
    mark: str | None = None
    input_key: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it stands; see ``Wanted`` and ``tables.uploads``."""

    id: str
    owner: str
    filename: str
    profile: str
    method: Method
    size_bytes: int
    part_bytes: int | None
    sha256: str | None
    mark: str | None
    input_key: str | None
    multipart_id: str | None
    received: tuple[int, ...]
    state: UploadState
    created_at: datetime
    touched_at: datetime
    completed_at: datetime | None


def wanted_of(upload: Upload) -> Wanted:
    """What an upload was begun as, and is known of it since."""
    return Wanted(**{name: getattr(upload, name) for name in Wanted.__slots__})


def selected() -> list[Column[Any]]:
    return [tables.uploads.c[name] for name in Upload.__slots__]


def select_uploads() -> Select[*tuple[Any, ...]]:
    return select(*selected())


def upload_of(row: Sequence[Any]) -> Upload:
    values = dict(zip(Upload.__slots__, row, strict=True))
    return Upload(
        **values
        | {
            "method": Method(values["method"]),
            "state": UploadState(values["state"]),
            "received": tuple(sorted(values["received"])),
        }
    )
