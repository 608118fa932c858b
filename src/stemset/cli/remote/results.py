"""Stems from the bucket into an output folder, whole or not at all.

Files come into a folder beside the output, ``.<output_name>.download/``, each as ``<name>.part``
until its SHA-256 is right. A run that ends in the middle leaves it, and the next one goes on there.
"""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stemset.audio.files import writing
from stemset.cli.downloads import clear_download, download_folder
from stemset.cli.remote.meter import Meter
from stemset.cli.remote.survey import RemoteJob
from stemset.dispatch.standing import Whole
from stemset.errors import ObjectCorrupt
from stemset.pipeline.output import OutputInTheMaking, making_output
from stemset.storage.store import OnBytes, Store
from stemset.telemetry import crash_point

_FILES_AT_ONCE = 3
_TRIES = 2
_TRANSFERS = 3


def fetch(
    store: Store, wanted: RemoteJob, whole: Whole, *, on_bytes: OnBytes, meter: Meter
) -> Mapping[str, Any]:
    """Download a whole attempt into the output folder.

    Args:
        store: The bucket.
        wanted: The job.
        whole: What to download.
        on_bytes: Called as bytes come, in several threads.
        meter: Told which bytes are here already.

    Returns:
        The output's metadata.

    Raises:
        ObjectCorrupt: A file has other content than the manifest says, each time.
        OutputBusy: Another process makes this output.
        NoSpace: The disk is full.
        OutputUnwritable: The folder cannot be written to.
        StorageError: The store does not answer.
    """
    job = wanted.job
    with (
        making_output(job.root, job.output_name) as output,
        _kept_folder(job.output) as folder,
    ):
        fetching = _Fetching(store, whole, folder, on_bytes, meter)
        with ThreadPoolExecutor(_FILES_AT_ONCE, "stemset-fetch") as threads:
            for _ in threads.map(fetching.fetch, whole.manifest.files):
                pass
        _commit(output, folder, whole)
    return whole.manifest.metadata


def total_bytes(whole: Whole) -> int:
    """Length of all files."""
    return sum(facts["bytes"] for facts in whole.manifest.files.values())


class _Fetching:
    """The files of one attempt on their way."""

    def __init__(
        self, store: Store, whole: Whole, folder: Path, on_bytes: OnBytes, meter: Meter
    ) -> None:
        self._store = store
        self._whole = whole
        self._folder = folder
        self._on_bytes = on_bytes
        self._meter = meter

    def fetch(self, name: str) -> None:
        """Have a file whole; what is here of it is not fetched again."""
        key = self._whole.folder.key(name)  # refuses a name that could leave the folder
        path = self._folder / name
        facts = self._whole.manifest.files[name]
        with writing(path):
            if path.is_file() and _is_right(path, facts):
                self._meter.found(facts["bytes"])
                return
            part = path.with_name(f"{name}.part")
            for _ in range(_TRIES):
                self._download(key, part, facts["bytes"])
                if _is_right(part, facts):
                    part.replace(path)
                    crash_point("process:fetched")
                    return
                part.unlink()
        raise ObjectCorrupt(
            f"{key} in the bucket is not what its manifest says: expected {facts['bytes']} bytes "
            f"with SHA-256 {facts['sha256']}. Make it again with --force."
        )

    def _download(self, key: str, part: Path, size: int) -> None:
        """Go on where the file ends, also if the transfer ends early."""
        self._meter.found(_offset(part, size))
        for left in reversed(range(_TRANSFERS)):
            try:
                offset = _offset(part, size)
                self._store.download(key, part, offset=offset, on_bytes=self._on_bytes)
            except ObjectCorrupt:
                if not left:
                    raise
            else:
                return


@contextmanager
def _kept_folder(output: Path) -> Iterator[Path]:
    """A folder that stays until the output stands."""
    folder = download_folder(output)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    yield folder
    clear_download(output)


def _commit(output: OutputInTheMaking, folder: Path, whole: Whole) -> None:
    with writing(output.part):
        for name in whole.manifest.files:
            (folder / name).replace(output.part / name)
    crash_point("process:moved")
    output.commit(whole.manifest.metadata)


def _offset(part: Path, size: int) -> int:
    """Where to go on: what is longer than it should be is begun again."""
    there = part.stat().st_size if part.exists() else 0
    return there if there < size else 0


def _is_right(path: Path, facts: Mapping[str, Any]) -> bool:
    with path.open("rb") as file:
        if path.stat().st_size != facts["bytes"]:
            return False
        return hashlib.file_digest(file, "sha256").hexdigest() == facts["sha256"]
