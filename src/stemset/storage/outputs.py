"""Outputs in a store: what an attempt leaves, and how the winner among attempts is published.

An attempt writes its files and last, once, ``manifest.json``: from then on it is whole. The
coordinator (whoever ordered it) checks the manifest against what lies in the store, and it alone
writes ``metadata.json``, which points at the winning attempt. So a report or a callback is only a
hint, and what a process that was thought dead uploads later changes nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound, StorageError
from stemset.storage.keys import (
    MANIFEST,
    AttemptFolder,
    file_name,
    metadata_key,
    output_prefix,
    parse_attempt_folder,
)
from stemset.storage.store import ObjectInfo, Store

SCHEMA_VERSION = 1
_URL_FIELDS = ("stem_url", "waveform_url")
_URL_LISTS = ("companion_urls", "peaks_urls")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a whole attempt consists of.

    Attributes:
        job_id: The job.
        attempt: The attempt's number.
        metadata: The output's metadata, with file names relative to the attempt's folder; its
            ``files`` give each file's ``bytes`` and ``sha256``.
        etags: What the store called each file when it was put, by name; a file without one was
            put by an older version, or into a store that has none.
    """

    job_id: str
    attempt: int
    metadata: Mapping[str, Any]
    etags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Each file's name, ``bytes`` and ``sha256``."""
        return self.metadata["files"]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of what was made."""
        return self.metadata["fingerprint"]

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the store."""
        facts = {
            "schema_version": SCHEMA_VERSION,
            "job_id": self.job_id,
            "attempt": self.attempt,
            "etags": self.etags,
            "metadata": self.metadata,
        }
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raises ObjectCorrupt."""
    try:
        facts = json.loads(data)
        etags = dict(facts.get("etags", {}).items())
        manifest = Manifest(facts["job_id"], facts["attempt"], facts["metadata"], etags)
        _check_said(manifest)
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        text.encode()  # half a surrogate pair can be neither published nor kept
    except _NOT_SAID as error:
        raise ObjectCorrupt("A manifest does not say what it must.") from error
    return manifest


_NOT_SAID = (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidKey)


def _check_said(manifest: Manifest) -> None:
    """Whether all is there that is read later, and every name is one that a file can have."""
    for name, file in manifest.files.items():
        _ = file_name(name), int(file["bytes"]), file["sha256"]
    for stem in manifest.metadata["stems"].values():
        for name in (*_URL_FIELDS, *_URL_LISTS):
            named = stem[name]
            for each in named if name in _URL_LISTS else [named]:
                file_name(each)
    _ = manifest.fingerprint, manifest.metadata["recording"]


def read_manifest(store: Store, folder: AttemptFolder) -> Manifest | None:
    """An attempt's manifest, None if it is not whole.

    Raises:
        ObjectCorrupt: It cannot be read.
        StorageError: The store does not answer.
    """
    try:
        data = store.read(folder.key(MANIFEST))
    except ObjectNotFound:
        return None
    return parse_manifest(data)


def attempts(store: Store, profile: str, output_name: str, job_id: str) -> list[AttemptFolder]:
    """The attempts at a job that left anything, the oldest first."""
    folders: set[AttemptFolder] = set()
    for info in store.list_below(output_prefix(profile, output_name)):
        try:
            folder = parse_attempt_folder(info.key.rpartition("/")[0])
        except StorageError:
            continue  # the output's own metadata
        if folder.name.startswith(f"{job_id[:8]}-"):
            folders.add(folder)
    return sorted(folders, key=lambda folder: folder.number)


def find_whole(
    store: Store, profile: str, output_name: str, job_id: str, fingerprint: str
) -> tuple[AttemptFolder, Manifest] | None:
    """The first attempt at a job that is whole and checks out."""
    for folder in attempts(store, profile, output_name, job_id):
        try:
            manifest = read_manifest(store, folder)
        except ObjectCorrupt:
            continue
        if (
            manifest
            and manifest.job_id == job_id
            and manifest.fingerprint == fingerprint
            and not check(store, folder, manifest, as_put=True)
        ):
            return folder, manifest
    return None


def check(
    store: Store, folder: AttemptFolder, manifest: Manifest, *, as_put: bool = False
) -> list[str]:
    """Compare a manifest with what lies in the store; returns every problem, in words.

    Args:
        store: The store.
        folder: The attempt's folder.
        manifest: Its manifest.
        as_put: Whether to see, too, that nobody has written over a file since it was put: for an
            attempt that is about to win.
    """
    there = {info.key: info for info in store.list_below(folder.prefix)}
    problems = []
    for name, known in manifest.files.items():
        info = there.get(folder.key(name))
        if info is None:
            problems.append(f"{name} is missing.")
        elif info.bytes != known["bytes"]:
            problems.append(f"{name} has {info.bytes} bytes, not {known['bytes']}.")
        elif as_put and _is_another(store, info, manifest.etags.get(name), known["sha256"]):
            problems.append(f"{name} has another content than was put.")
    return problems


def publish(store: Store, folder: AttemptFolder, manifest: Manifest) -> None:
    """Write the output's ``metadata.json``, which points at this attempt."""
    metadata = dict(manifest.metadata)
    metadata["attempt"] = folder.name
    metadata["stems"] = {
        name: _below(folder.name, stem) for name, stem in metadata["stems"].items()
    }
    metadata["files"] = {f"{folder.name}/{name}": facts for name, facts in manifest.files.items()}
    text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
    store.write(metadata_key(folder.profile, folder.output_name), text.encode())


def _is_another(store: Store, info: ObjectInfo, etag: str | None, sha256: str) -> bool:
    """Whether an object is not the one that was put.

    With the same ETag it is. Another ETag proves nothing: that of a file is made of its number and
    time, which not every file system keeps, and a bucket that was copied has its own. So its bytes
    are read then, and only then.
    """
    if etag is None or info.etag in {None, etag}:
        return False
    digest = hashlib.sha256()
    try:
        for chunk in store.stream(info.key):
            digest.update(chunk)
    except (ObjectNotFound, ObjectCorrupt):  # it is being written at this moment
        return True
    return digest.hexdigest() != sha256


def _below(folder: str, stem: Mapping[str, Any]) -> dict[str, Any]:
    """A stem's description with its URLs relative to the output's folder."""
    moved = dict(stem)
    for name in _URL_FIELDS:
        moved[name] = f"{folder}/{stem[name]}"
    for name in _URL_LISTS:
        moved[name] = [f"{folder}/{url}" for url in stem[name]]
    return moved
