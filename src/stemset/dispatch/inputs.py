"""Recordings in the bucket: under their own name, or one made from their hash if it is taken.

Who takes a name first leaves a claim, created once: ``claims/<profile>/<filename>`` says which
content the name belongs to. So two different recordings of one name never overwrite each other,
whichever machines they come from, and a recording that is there is not uploaded again.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stemset.errors import InputChanged, ObjectExists, ObjectNotFound
from stemset.storage.keys import (
    check_input_key,
    claim_key,
    hashed_filename,
    input_key,
    safe_filename,
)
from stemset.storage.store import OnBytes, Store


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording lies, or is to lie.

    Attributes:
        key: Its key.
        stands: Whether its bytes are there already.
    """

    key: str
    stands: bool


def find_place(store: Store, profile: str, name: str, sha256: str, size_bytes: int) -> Place:
    """Find out where a recording would lie, and change nothing. Raises StorageError."""
    filename = next(_filenames(store, profile, name, sha256))
    return _place(store, profile, filename, size_bytes)


def claim_place(store: Store, profile: str, name: str, sha256: str, size_bytes: int) -> Place:
    """Find out where a recording is to lie, and take that name for it.

    Args:
        store: The bucket.
        profile: Name of the profile.
        name: The recording's file name, whatever it holds.
        sha256: Hash of its bytes.
        size_bytes: Its length.

    Raises:
        ObjectExists: Another content has claimed even the name that is made from the hash.
        StorageError: The store does not answer.
    """
    for filename in _filenames(store, profile, name, sha256):
        with suppress(ObjectExists):
            return take_place(store, input_key(profile, filename), sha256, size_bytes)
    raise ObjectExists(f"{name}: its names in the bucket belong to another recording.")


def take_place(store: Store, key: str, sha256: str, size_bytes: int) -> Place:
    """Take the name that ``find_place`` found.

    Args:
        store: The bucket.
        key: Where the recording is to lie.
        sha256: Hash of its bytes.
        size_bytes: Its length.

    Raises:
        ObjectExists: Another content has claimed the name.
        StorageError: The store does not answer.
    """
    _, profile, filename = check_input_key(key).split("/")
    claim = json.dumps({"sha256": sha256, "bytes": size_bytes}).encode()
    try:
        store.create(claim_key(profile, filename), claim)
    except ObjectExists:
        # Taken since it was looked at, or claimed for this content by another program.
        if _owner(store, profile, filename) != sha256:
            raise
    return _place(store, profile, filename, size_bytes)


def upload(
    store: Store,
    path: Path,
    key: str,
    on_bytes: OnBytes,
    *,
    size_bytes: int,
    modified_ns: int,
) -> None:
    """Upload a recording.

    Args:
        store: The bucket.
        path: Where the recording stands.
        key: Where it is to lie.
        on_bytes: Called as bytes are moved.
        size_bytes: Its length when it was hashed.
        modified_ns: Its modification time when it was hashed.

    Raises:
        InputChanged: The file is not the one that was hashed; nothing is left in the bucket.
        InputUnreadable: It cannot be read any more.
        StorageError: The store does not take it.
    """
    store.upload(path, key, on_bytes=on_bytes)
    if _has_changed(path, size_bytes, modified_ns):
        store.delete([key])
        raise InputChanged(f"{path} changed while it was uploaded.")


def _filenames(store: Store, profile: str, name: str, sha256: str) -> Iterator[str]:
    """File names that are free or this recording's own, the best first."""
    plain = safe_filename(name, sha256)
    owner = _owner(store, profile, plain)
    # What lies there without a claim was put there by other means: nobody knows what it is.
    if owner == sha256 or (owner is None and _bytes(store, profile, plain) is None):
        yield plain
    yield hashed_filename(name, sha256)


def _place(store: Store, profile: str, filename: str, size_bytes: int) -> Place:
    stands = _bytes(store, profile, filename) == size_bytes
    return Place(input_key(profile, filename), stands)


def _owner(store: Store, profile: str, filename: str) -> str | None:
    """SHA-256 of the content that a name belongs to; None if nobody claimed it."""
    try:
        claim = json.loads(store.read(claim_key(profile, filename)))
    except ObjectNotFound:
        return None
    except ValueError:
        return ""
    return str(claim.get("sha256")) if isinstance(claim, dict) else ""


def _bytes(store: Store, profile: str, filename: str) -> int | None:
    """Length of what lies under a name, None if there is nothing."""
    try:
        return store.head(input_key(profile, filename)).bytes
    except ObjectNotFound:
        return None


def _has_changed(path: Path, size_bytes: int, modified_ns: int) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False  # Deleted while it was open: what was read is whole, and its hash is checked.
    return (status.st_size, status.st_mtime_ns) != (size_bytes, modified_ns)
