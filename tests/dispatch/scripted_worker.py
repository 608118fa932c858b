"""The other side of an attempt: a worker that follows a script and leaves small stems."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemset.errors import StemsetError
from stemset.orders.messages import Failure, LinkWanted, Order, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.runner import MakeLinks
from stemset.storage.keys import MANIFEST, AttemptFolder, attempt_folder, parse_attempt_folder
from stemset.storage.outputs import Manifest
from stemset.storage.store import Store

Take = Callable[..., Path]
Step = Report | StemsetError | Callable[[], Any]

SHA256 = "ab" * 32
FINGERPRINT = "cd" * 32
JOB_ID = "3f2a9c01" * 4
FILES = {"vocals.flac": b"v" * 3000, "drums.flac": b"d" * 2000}


def folder_of(attempt: int = 1, job_id: str = JOB_ID, output_name: str = "take") -> AttemptFolder:
    return attempt_folder("far", output_name, job_id, attempt)


def manifest_of(
    folder: AttemptFolder,
    *,
    job_id: str = JOB_ID,
    fingerprint: str = FINGERPRINT,
    sha256: str = SHA256,
) -> Manifest:
    files = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in FILES.items()
    }
    metadata = {
        "fingerprint": fingerprint,
        "recording": {"sha256": sha256},
        "stems": {},
        "files": files,
    }
    return Manifest(job_id, folder.number, metadata)


def leave_whole(store: Store, folder: AttemptFolder, **facts: str) -> Manifest:
    """Leave what a whole attempt leaves."""
    manifest = manifest_of(folder, **facts)
    for name, data in FILES.items():
        store.write(folder.key(name), data)
    store.create(folder.key(MANIFEST), manifest.to_bytes())
    return manifest


def report(
    status: Status, seq: int = 0, phase: Phase | None = None, error: StemsetError | None = None
) -> Report:
    return Report(
        job_id=JOB_ID,
        attempt=1,
        seq=seq,
        status=status,
        phase=phase,
        error=Failure.of(error) if error else None,
    )


ACCEPTED = report(Status.ACCEPTED, 0, Phase.LOADING)
WAKING = report(Status.PROGRESS, -1, Phase.WAKING)
SEPARATING = report(Status.PROGRESS, 1, Phase.SEPARATING)
COMPLETE = report(Status.COMPLETE, 2)


def failed(error: StemsetError) -> Report:
    return report(Status.ERROR, 2, error=error)


@dataclass
class ScriptedWorker:
    """Carries an order out as its script says.

    Attributes:
        store: The bucket.
        script: Reports that are made, errors that are raised, calls that are made (and awaited).
        orders: What was ordered.
        links: What links were made.
    """

    store: Store
    script: Sequence[Step] = ()
    orders: list[Order] = field(default_factory=list)
    links: list[Sequence[str]] = field(default_factory=list)

    async def run(self, order: Order, make_links: MakeLinks | None = None) -> AsyncIterator[Report]:
        self.orders.append(order)
        if make_links:
            wanted = [LinkWanted(method="PUT", name="vocals.flac", bytes=9)]
            self.links.append(await make_links(wanted))
        for step in self.script:
            if isinstance(step, StemsetError):
                raise step
            if isinstance(step, Report):
                yield step
            elif (waited := step()) is not None:
                await waited

    def finish(self) -> None:
        """A step: leave whole stems."""
        leave_whole(self.store, parse_attempt_folder(self.orders[-1].output.prefix))

    async def cancel(self, job_id: str) -> None:
        raise AssertionError(f"nobody cancels {job_id}")

    async def close(self) -> None:
        raise AssertionError("an attempt lets go of no worker that others use")
