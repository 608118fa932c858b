"""Adoption: outputs that stand in the store and in no ledger, made by a command line, are taken in.

Any number of processes may look at once: the ledger takes each output in once.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.threads import Threads
from stemset.errors import DatabaseFailed, ObjectCorrupt, ObjectNotFound, StemsetError
from stemset.jobs import events, outputs, recordings, tables
from stemset.jobs._stranger import MAX_BYTES, Stranger, parse_stranger
from stemset.jobs.database import Database
from stemset.jobs.events import Kind
from stemset.jobs.recordings import Found
from stemset.storage.keys import METADATA
from stemset.storage.outputs import Manifest, check
from stemset.storage.store import Store
from stemset.telemetry import get_logger

_log = get_logger("jobs")

_AT_A_TIME = 200
_PARTS = 4  # of the key of an output's metadata, see storage.keys
_TOLD_AT_MOST = 10_000
_WITHIN_S = 60.0
_outputs = tables.outputs.c
_told: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an output is published."""

    profile: str
    output_name: str

    @property
    def prefix(self) -> str:
        return f"outputs/{self.profile}/{self.output_name}"

    @property
    def key(self) -> str:
        return f"{self.prefix}/{METADATA}"


class _Passed(Exception):
    """Nothing is to be taken in, and nothing of the transaction is to stay."""


async def adopt(database: Database, store: Store, threads: Threads) -> int:
    """Take in what stands in the store and not in the ledger.

    Outputs that are being removed are none of these, and what cannot be read is passed over: the
    log says so once.

    Args:
        database: The ledger.
        store: The store; everything below ``outputs`` is listed, in memory that does not grow.
        threads: Threads for its calls.

    Returns:
        How many outputs were taken in.

    Raises:
        StorageError: The store does not answer.
        DatabaseError: The database does not.
    """
    adopted = 0
    batches = _batches(store)
    while places := await threads.run(next, batches, []):
        async with database.reading() as connection:
            unknown = await _unknown(connection, places)
        for place in unknown:
            adopted += await _adopt_one(database, store, threads, place)
    if adopted:
        _log.info(f"Adopted {adopted} outputs", adopted=adopted)
    return adopted


def _batches(store: Store) -> Iterator[list[_Place]]:
    """Places of all published outputs; many objects are listed for each."""
    places = (
        _Place(parts[1], parts[2])
        for info in store.list_below("outputs")
        if info.key.endswith(f"/{METADATA}") and len(parts := info.key.split("/")) == _PARTS
    )
    while batch := list(islice(places, _AT_A_TIME)):
        yield batch


async def _unknown(connection: AsyncConnection, places: Sequence[_Place]) -> list[_Place]:
    key = tuple_(_outputs.profile, _outputs.output_name)
    names = [(each.profile, each.output_name) for each in places]
    query = select(_outputs.profile, _outputs.output_name).where(key.in_(names))
    known = {tuple(row) for row in await connection.execute(query)}
    return [each for each, name in zip(places, names, strict=True) if name not in known]


async def _adopt_one(database: Database, store: Store, threads: Threads, place: _Place) -> bool:
    data = b""
    try:
        data = await threads.run(store.read, place.key, limit=MAX_BYTES)
        stranger = parse_stranger(place.prefix, data)
        await threads.run(_check_whole, store, stranger)
        async with database.transaction(_WITHIN_S) as connection:
            output_id = await _insert(connection, place, stranger)
            # Another process may have adopted it before, and somebody deleted it since.
            await threads.run(_check_same, store, place, data)
            await recordings.note(connection, stranger.recording)
            await events.append(connection, Kind.OUTPUT, output_id)
    except (_Passed, ObjectNotFound):
        return False
    except (ObjectCorrupt, DatabaseFailed) as error:
        _tell_once(place, data, error)
        return False
    return True


async def _insert(connection: AsyncConnection, place: _Place, stranger: Stranger) -> str:
    """Add the output, and its recording if there is none. Returns the output's id.

    Raises:
        _Passed: There is one, or one is being removed.
    """
    found = stranger.recording
    known = {name: getattr(found, name) for name in Found.__slots__}
    recording = insert(tables.recordings).values(name=PurePosixPath(found.filename).stem, **known)
    await connection.execute(recording.on_conflict_do_nothing())
    row = insert(tables.outputs).values(
        id=uuid.uuid4().hex,
        profile=place.profile,
        output_name=place.output_name,
        sha256=found.sha256,
        state=outputs.WHOLE,
        metadata=stranger.metadata,
        completed_at=func.now(),
    )
    added = await connection.execute(row.on_conflict_do_nothing().returning(_outputs.id))
    output_id = added.scalar_one_or_none()
    if output_id is None or await _is_doomed(connection, place):
        raise _Passed
    return output_id


async def _is_doomed(connection: AsyncConnection, place: _Place) -> bool:
    query = select(tables.doomed.c.key).where(tables.doomed.c.subject == place.prefix).limit(1)
    return (await connection.execute(query)).one_or_none() is not None


def _check_whole(store: Store, stranger: Stranger) -> None:
    """Raises ObjectCorrupt if a file is missing or of another length."""
    problems = check(store, stranger.folder, Manifest("", 0, stranger.metadata))
    if problems:
        raise ObjectCorrupt(" ".join(problems))


def _check_same(store: Store, place: _Place, data: bytes) -> None:
    """Raises ObjectNotFound if an output is not published any more as it was."""
    if store.read(place.key, limit=MAX_BYTES) != data:
        raise ObjectNotFound(f"{place.key} was replaced while it was read.")


def _tell_once(place: _Place, data: bytes, error: StemsetError) -> None:
    """Say in the log why an output is passed over, once for each state of it."""
    what = (place.key, f"{hashlib.sha256(data).hexdigest()} {error}")
    if what in _told:
        return
    if len(_told) >= _TOLD_AT_MOST:
        _told.clear()
    _told.add(what)
    _log.warning("Output not adopted", key=place.key, code=error.code, detail=str(error))
