"""What stands already: whole attempts in the bucket, published or not, and whose they are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound
from stemset.storage.keys import (
    MANIFEST,
    AttemptFolder,
    metadata_key,
    output_prefix,
    parse_attempt_folder,
)
from stemset.storage.outputs import Manifest, attempts, check, find_whole, publish, read_manifest
from stemset.storage.store import Store


@dataclass(frozen=True, slots=True)
class Whole:
    """Stems that stand in the bucket.

    Attributes:
        folder: The attempt that made them.
        manifest: What they are.
        is_published: Whether the output's metadata points at them.
    """

    folder: AttemptFolder
    manifest: Manifest
    is_published: bool


def find_standing(
    store: Store,
    *,
    profile: str,
    output_name: str,
    sha256: str,
    fingerprint: str,
    job_id: str | None,
) -> Whole | None:
    """Find whole stems of a recording with this fingerprint, the published ones first.

    Args:
        store: The bucket.
        profile: Name of the profile.
        output_name: Name of the output.
        sha256: Hash of the recording.
        fingerprint: What the stems must be.
        job_id: Whose unpublished attempts are taken as well; None for nobody's. Published stems
            are taken whoever ordered them.

    Raises:
        StorageError: The store does not answer.
    """
    winner = _winner(store, profile, output_name, fingerprint)
    # Once published, an attempt may be moved: its ETags are then others, and nobody's concern.
    if (
        winner
        and sha256_of(winner.manifest.metadata) == sha256
        and not check(store, winner.folder, winner.manifest)
    ):
        return winner
    if job_id is None:
        return None
    found = find_whole(store, profile, output_name, job_id, fingerprint)
    return Whole(*found, is_published=False) if found else None


def find_attempt(
    store: Store, folder: AttemptFolder, *, fingerprint: str, job_id: str
) -> Whole | None:
    """An attempt at a job, if it is whole and checks out.

    Raises:
        ObjectCorrupt: Its manifest cannot be read.
        StorageError: The store does not answer.
    """
    manifest = read_manifest(store, folder)
    if manifest is None or manifest.job_id != job_id or manifest.fingerprint != fingerprint:
        return None
    if check(store, folder, manifest, as_put=True):
        return None
    return Whole(folder, manifest, is_published=False)


def attempt_to_order(store: Store, *, profile: str, output_name: str, job_id: str) -> int:
    """The number of the last attempt that was begun, if it may still run, else of a new one.

    Raises:
        StorageError: The store does not answer.
    """
    begun = attempts(store, profile, output_name, job_id)
    if not begun:
        return 1
    try:
        has_ended = read_manifest(store, begun[-1]) is not None
    except ObjectCorrupt:
        has_ended = True
    return begun[-1].number + has_ended


def publish_once(store: Store, whole: Whole) -> None:
    """Let the output's metadata point at an attempt, if they do not already."""
    if not whole.is_published and not is_published(store, whole.folder):
        publish(store, whole.folder, whole.manifest)


def is_published(store: Store, folder: AttemptFolder) -> bool:
    """Whether the output's metadata points at this attempt."""
    published = _published(store, folder.profile, folder.output_name)
    return published is not None and published.get("attempt") == folder.name


def is_another_recordings(store: Store, *, profile: str, output_name: str, sha256: str) -> bool:
    """Whether the stems that have this output name in the bucket are of another recording."""
    published = _published(store, profile, output_name)
    if published is not None:
        return sha256_of(published) != sha256
    return any(owner != sha256 for owner in _owners(store, profile, output_name))


def sha256_of(metadata: Mapping[str, Any]) -> str | None:
    """Hash of the recording whose stems these metadata describe, None if they do not say."""
    recording = metadata.get("recording")
    return recording.get("sha256") if isinstance(recording, dict) else None


def _winner(store: Store, profile: str, output_name: str, fingerprint: str) -> Whole | None:
    """The attempt that published metadata point at, if it has this fingerprint."""
    published = _published(store, profile, output_name)
    if not published:
        return None
    prefix = output_prefix(profile, output_name)
    try:
        folder = parse_attempt_folder(f"{prefix}/{published.get('attempt')}")
        manifest = read_manifest(store, folder)
    except (ObjectCorrupt, InvalidKey):
        return None
    if manifest is None or manifest.fingerprint != fingerprint:
        return None
    return Whole(folder, manifest, is_published=True)


def _owners(store: Store, profile: str, output_name: str) -> Iterator[str | None]:
    """Whose stems the whole attempts below an output's name are."""
    for info in list(store.list_below(output_prefix(profile, output_name))):
        folder, _, file = info.key.rpartition("/")
        if file != MANIFEST:
            continue
        try:
            manifest = read_manifest(store, parse_attempt_folder(folder))
        except (ObjectCorrupt, InvalidKey):
            continue
        if manifest:
            yield sha256_of(manifest.metadata)


def _published(store: Store, profile: str, output_name: str) -> dict[str, Any] | None:
    """An output's metadata in the bucket, None if there is none that can be read."""
    try:
        metadata = json.loads(store.read(metadata_key(profile, output_name)))
    except (ObjectNotFound, ObjectCorrupt, ValueError):
        return None
    return metadata if isinstance(metadata, dict) else None
