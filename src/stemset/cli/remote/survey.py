"""What stands already: the job's id, its output's name, and whole attempts in the bucket."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound
from stemset.pipeline.output import read_metadata
from stemset.pipeline.plan import Job, slug
from stemset.storage.keys import (
    MANIFEST,
    AttemptFolder,
    metadata_key,
    output_prefix,
    parse_attempt_folder,
)
from stemset.storage.outputs import Manifest, attempts, check, find_whole, read_manifest
from stemset.storage.store import Store

_JOBS = uuid.UUID("7d5b9b0c-3f5e-5d0a-9d53-0d6a1c5a7d11")


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job, and what it is called in the bucket.

    Attributes:
        job: What to do; its output name is free on this machine and in the bucket.
        profile: Name of the profile.
        job_id: The same for the same recording, profile and fingerprint, on every machine.
    """

    job: Job
    profile: str
    job_id: str


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


def job_id_of(job: Job) -> str:
    """The job's id, from what the job is about."""
    return uuid.uuid5(_JOBS, f"{job.profile}/{job.recording.sha256}/{job.fingerprint}").hex


def name_job(store: Store, job: Job) -> RemoteJob:
    """Give a job's output a name that no other recording has.

    Raises:
        StorageError: The store does not answer.
    """
    if job.profile is None:
        raise ValueError("remote work needs a profile")
    sha256, profile = job.recording.sha256, job.profile
    name = job.output_name
    digits = len(name.rpartition("_")[2])
    while digits < len(sha256) and _is_taken(store, profile, job, name):
        digits += 1
        name = f"{slug(job.recording.path.stem)}_{sha256[:digits]}"
    return RemoteJob(replace(job, output_name=name), profile, job_id_of(job))


def find_standing(store: Store, wanted: RemoteJob) -> Whole | None:
    """Find whole stems of this recording with this fingerprint, the published ones first."""
    name, fingerprint = wanted.job.output_name, wanted.job.fingerprint
    published = _published(store, wanted.profile, name)
    if published and (whole := _winner(store, wanted, published)):
        return whole
    if found := find_whole(store, wanted.profile, name, wanted.job_id, fingerprint):
        return Whole(*found, is_published=False)
    return None


def attempt_to_order(store: Store, wanted: RemoteJob) -> int:
    """The number of the last attempt that was begun, if it may still run, else of a new one."""
    begun = attempts(store, wanted.profile, wanted.job.output_name, wanted.job_id)
    if not begun:
        return 1
    try:
        has_ended = read_manifest(store, begun[-1]) is not None
    except ObjectCorrupt:
        has_ended = True
    return begun[-1].number + has_ended


def is_published(store: Store, folder: AttemptFolder) -> bool:
    """Whether the output's metadata points at this attempt."""
    published = _published(store, folder.profile, folder.output_name)
    return published is not None and published.get("attempt") == folder.name


def _winner(store: Store, wanted: RemoteJob, published: Mapping[str, Any]) -> Whole | None:
    """The attempt that published metadata point at, whoever ordered it, if it is what is wanted."""
    prefix = output_prefix(wanted.profile, wanted.job.output_name)
    try:
        folder = parse_attempt_folder(f"{prefix}/{published.get('attempt')}")
        manifest = read_manifest(store, folder)
    except (ObjectCorrupt, InvalidKey):
        return None
    if manifest is None or manifest.fingerprint != wanted.job.fingerprint:
        return None
    if _sha256(manifest.metadata) != wanted.job.recording.sha256:
        return None
    return None if check(store, folder, manifest) else Whole(folder, manifest, is_published=True)


def _is_taken(store: Store, profile: str, job: Job, name: str) -> bool:
    """Whether another recording's output has this name, here or in the bucket."""
    sha256 = job.recording.sha256
    here = read_metadata(job.root / name)
    if here is not None and _sha256(here) != sha256:
        return True
    published = _published(store, profile, name)
    if published is not None:
        return _sha256(published) != sha256
    return any(owner != sha256 for owner in _owners(store, profile, name))


def _owners(store: Store, profile: str, name: str) -> list[str | None]:
    """Whose stems the whole attempts below an output's name are."""
    keys = [info.key for info in store.list_below(output_prefix(profile, name))]
    owners: list[str | None] = []
    for key in keys:
        folder, _, file = key.rpartition("/")
        if file == MANIFEST:
            try:
                manifest = read_manifest(store, parse_attempt_folder(folder))
            except (ObjectCorrupt, InvalidKey):
                continue
            if manifest:
                owners.append(_sha256(manifest.metadata))
    return owners


def _published(store: Store, profile: str, name: str) -> dict[str, Any] | None:
    """An output's metadata in the bucket, None if there is none that can be read."""
    try:
        metadata = json.loads(store.read(metadata_key(profile, name)))
    except (ObjectNotFound, ObjectCorrupt, ValueError):
        return None
    return metadata if isinstance(metadata, dict) else None


def _sha256(metadata: Mapping[str, Any]) -> str | None:
    recording = metadata.get("recording")
    return recording.get("sha256") if isinstance(recording, dict) else None
