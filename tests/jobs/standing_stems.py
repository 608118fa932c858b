"""Recordings, jobs and outputs as they come to stand, in a store and in the ledger."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.threads import Threads
from stemset.jobs import accepting, attempts, events, ledger, recordings, tables, uploads
from stemset.jobs.attempts import Outcome
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue, Request, State
from stemset.jobs.recordings import Found
from stemset.jobs.uploads import Method, Wanted
from stemset.storage.keys import CLAIM, MANIFEST, AttemptFolder, attempt_folder, claim_key
from stemset.storage.outputs import Manifest, publish
from stemset.storage.store import Store

Result = TypeVar("Result")

STEMS: Mapping[str, bytes] = {"vocals": b"la la la", "bass": b"dum dum"}
FINGERPRINT = "f" * 64


@dataclass(frozen=True)
class World:
    """A ledger, a store, and threads."""

    database: Database
    store: Store
    threads: Threads

    async def keys(self, prefix: str = "") -> list[str]:
        """What lies in the store."""
        places = [prefix] if prefix else ["inputs", "claims", "outputs"]
        return sorted(info.key for each in places for info in self.store.list_below(each))

    async def count(self, table: str) -> int:
        async with self.database.reading() as connection:
            query = select(func.count()).select_from(tables.metadata.tables[table])
            return (await connection.execute(query)).scalar_one()

    async def events_after(self, number: int) -> list[tuple[str, str]]:
        async with self.database.reading() as connection:
            found = await events.since(connection, number, 1000)
            return [(each.kind, each.subject) for each in found]


def in_world(conninfo: str, store: Store, scenario: Callable[[World], Awaitable[Result]]) -> Result:
    """Play a scenario in an event loop of its own."""

    async def run() -> Result:
        world = World(Database(conninfo), store, Threads())
        try:
            async with asyncio.timeout(60):
                return await scenario(world)
        finally:
            world.threads.close(10)
            await world.database.close()

    return asyncio.run(run())


def found(number: int = 1, **changes: Any) -> Found:
    """A recording that was uploaded, another for each number."""
    recording = Found(
        sha256=hashlib.sha256(b"%d" % number).hexdigest(),
        filename=f"take {number}.wav",
        bytes=1000 + number,
        duration_s=60.0 + number,
        rate_hz=48_000,
        channels=2,
        input_key=f"inputs/h4n/take {number}.wav",
        is_proven=True,
        owner="local",
    )
    return replace(recording, **changes)


def request(recording: Found, profile: str = "h4n", **changes: Any) -> Request:
    """What is to be done with a recording."""
    wanted = Request(
        sha256=recording.sha256,
        filename=recording.filename,
        input_key=str(recording.input_key),
        profile=profile,
        output_name=f"take_{recording.sha256[:8]}",
        strategy_name="spleeter-2stems",
        strategy={"_": "spleeter-2stems", "vocals": "vocals"},
        output={"format": "wav", "bitrate": None, "depth": None},
        fingerprint=FINGERPRINT,
        queue=Queue.LOCAL,
        owner="local",
    )
    return replace(wanted, **changes)


def manifest_of(
    recording: Found, stems: Mapping[str, bytes] = STEMS, *, job_id: str = "cli", **changes: Any
) -> Manifest:
    """What an attempt says that it made."""
    files = {f"{name}.wav": data for name, data in stems.items()}
    files |= {f"{name}.png": b"picture" for name in stems}
    metadata = {
        "schema_version": 1,
        "fingerprint": FINGERPRINT,
        "recording": {
            "name": recording.filename,
            "sha256": recording.sha256,
            "bytes": recording.bytes,
            "duration_s": recording.duration_s,
            "rate_hz": recording.rate_hz,
            "channels": ["FL", "FR"],
        },
        "encoding": {"format": "wav"},
        "stems": {
            name: {
                "stem_type": name,
                "stem_url": f"{name}.wav",
                "waveform_url": f"{name}.png",
                "companion_urls": [],
                "peaks_urls": [],
            }
            for name in stems
        },
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
        "timings": {"wall_s": 1.5},
    }
    return Manifest(job_id, 1, metadata | changes)


def put_attempt(
    store: Store, folder: AttemptFolder, manifest: Manifest, stems: Mapping[str, bytes] = STEMS
) -> None:
    """Write an attempt as a worker does."""
    store.write(folder.key(CLAIM), b"{}")
    for name, data in stems.items():
        store.write(folder.key(f"{name}.wav"), data)
        store.write(folder.key(f"{name}.png"), b"picture")
    store.write(folder.key(MANIFEST), manifest.to_bytes())


def put_output(
    store: Store,
    recording: Found,
    profile: str = "h4n",
    *,
    output_name: str | None = None,
    attempt: int = 1,
    stems: Mapping[str, bytes] = STEMS,
    **changes: Any,
) -> AttemptFolder:
    """Publish an output as a command line does: in the store, and in no ledger."""
    name = output_name or f"take_{recording.sha256[:8]}"
    folder = attempt_folder(profile, name, "cli00000", attempt)
    manifest = manifest_of(recording, stems, **changes)
    put_attempt(store, folder, manifest, stems)
    publish(store, folder, manifest)
    return folder


def put_input(store: Store, recording: Found) -> None:
    """Lay a recording and the claim to its place into the store."""
    _, profile, filename = str(recording.input_key).split("/")
    store.write(str(recording.input_key), b"samples")
    claim = f'{{"sha256": "{recording.sha256}", "bytes": {recording.bytes}}}'
    store.write(claim_key(profile, filename), claim.encode())


async def note(world: World, recording: Found) -> None:
    async with world.database.transaction() as connection:
        await recordings.note(connection, recording)


async def note_upload(world: World, recording: Found, profile: str = "h4n") -> None:
    """A recording as an upload that is complete leaves it."""
    wanted = Wanted(
        id=f"{profile}{recording.sha256[:16]}",
        owner=recording.owner,
        filename=recording.filename,
        profile=profile,
        method=Method.WHOLE,
        size_bytes=recording.bytes,
        sha256=recording.sha256,
        input_key=recording.input_key,
    )
    async with world.database.transaction() as connection:
        await uploads.add_complete(connection, wanted)
        await recordings.note(connection, recording)


async def accepted(world: World, wanted: Request) -> Job:
    async with world.database.transaction() as connection:
        job, _ = await accepting.accept(connection, wanted)
    return job


async def begun(world: World, job: Job) -> AttemptFolder:
    """A job whose next attempt has begun."""

    def name(number: int) -> str:
        return attempt_folder(job.profile, job.output_name, job.id, number).name

    async with world.database.transaction() as connection:
        attempt = await attempts.begin(connection, job.id, name, "local")
        await ledger.progress(connection, job.id, State.PROCESSING)
    return attempt_folder(job.profile, job.output_name, job.id, attempt.number)


async def completed(
    world: World, wanted: Request, recording: Found, stems: Mapping[str, bytes] = STEMS
) -> tuple[Job, str]:
    """A complete job and its output. Returns the job and the output's id."""
    job = await accepted(world, wanted)
    folder = await begun(world, job)
    manifest = manifest_of(recording, stems, job_id=job.id)
    put_attempt(world.store, folder, manifest, stems)
    publish(world.store, folder, manifest)
    async with world.database.transaction() as connection:
        await ledger.complete(connection, job.id, folder.name, manifest.metadata)
        await attempts.end(
            connection, attempts.OpenAttempt(job.id, folder.number, folder.name), Outcome.COMPLETE
        )
        return await ledger.get(connection, job.id), await output_id(connection, wanted)


async def output_id(connection: AsyncConnection, wanted: Request) -> str:
    each = tables.outputs.c
    query = select(each.id).where(
        each.profile == wanted.profile, each.output_name == wanted.output_name
    )
    return (await connection.execute(query)).scalar_one()


async def ended_before(world: World, job_id: str, age: timedelta) -> None:
    """Let a job have ended so long ago."""
    change = update(tables.jobs).where(tables.jobs.c.id == job_id)
    async with world.database.transaction() as connection:
        await connection.execute(change.values(ended_at=func.now() - age))
