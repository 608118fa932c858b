"""Recordings in the bucket: under their own name, or one made from their hash if it is taken.

Who takes a name first leaves a claim, created once: ``claims/<profile>/<filename>`` says which
content the name belongs to. So two different recordings of one name never overwrite each other,
whichever machines they come from, and a recording that is there is not uploaded again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from stemset.errors import InputChanged, ObjectExists, ObjectNotFound
from stemset.pipeline.plan import Recording
from stemset.storage.keys import claim_key, hashed_filename, input_key, safe_filename
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


def find_place(store: Store, profile: str, recording: Recording) -> Place:
    """Find out where a recording would lie, and change nothing. Raises StorageError."""
    name = next(_names(store, profile, recording))
    return _place(store, profile, name, recording)


def claim_place(store: Store, profile: str, recording: Recording) -> Place:
    """Find out where a recording is to lie, and take that name for it.

    Raises:
        ObjectExists: Another content has claimed even the name that is made from the hash.
        StorageError: The store does not answer.
    """
    claim = json.dumps({"sha256": recording.sha256, "bytes": recording.size_bytes}).encode()
    for name in _names(store, profile, recording):
        try:
            store.create(claim_key(profile, name), claim)
        except ObjectExists:
            # Taken since it was looked at, or claimed for this content by another program.
            if _owner(store, profile, name) != recording.sha256:
                continue
        return _place(store, profile, name, recording)
    raise ObjectExists(f"{recording.name}: its names in the bucket belong to another recording.")


def upload(store: Store, recording: Recording, key: str, on_bytes: OnBytes) -> None:
    """Upload a recording.

    Raises:
        InputChanged: The file is not the one that was hashed; nothing is left in the bucket.
        InputUnreadable: It cannot be read any more.
        StorageError: The store does not take it.
    """
    store.upload(recording.path, key, on_bytes=on_bytes)
    if _has_changed(recording):
        store.delete([key])
        raise InputChanged(f"{recording.path} changed while it was uploaded.")


def _names(store: Store, profile: str, recording: Recording) -> Iterator[str]:
    """File names that are free or this recording's own, the best first."""
    plain = safe_filename(recording.name, recording.sha256)
    hashed = hashed_filename(recording.name, recording.sha256)
    owner = _owner(store, profile, plain)
    # What lies there without a claim was put there by other means: nobody knows what it is.
    if owner == recording.sha256 or (owner is None and _bytes(store, profile, plain) is None):
        yield plain
    yield hashed


def _place(store: Store, profile: str, name: str, recording: Recording) -> Place:
    stands = _bytes(store, profile, name) == recording.size_bytes
    return Place(input_key(profile, name), stands)


def _owner(store: Store, profile: str, name: str) -> str | None:
    """SHA-256 of the content that a name belongs to; None if nobody claimed it."""
    try:
        claim = json.loads(store.read(claim_key(profile, name)))
    except ObjectNotFound:
        return None
    except ValueError:
        return ""
    return str(claim.get("sha256")) if isinstance(claim, dict) else ""


def _bytes(store: Store, profile: str, name: str) -> int | None:
    """Length of what lies under a name, None if there is nothing."""
    try:
        return store.head(input_key(profile, name)).bytes
    except ObjectNotFound:
        return None


def _has_changed(recording: Recording) -> bool:
    try:
        status = recording.path.stat()
    except FileNotFoundError:
        return False  # Deleted while it was open: what was read is whole, and its hash is checked.
    known = (recording.size_bytes, recording.modified_ns)
    return (status.st_size, status.st_mtime_ns) != known
