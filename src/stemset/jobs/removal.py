"""Removal: what was deleted from the ledger is removed from the store, once, whoever crashes.

An output's name, and a recording's place, can be taken anew before that is done. Attempts have
folders of their own, which no later job uses; but ``metadata.json`` and a recording's place are
written again. So whoever is about to use them calls ``settle`` first, and what does not belong to
what was deleted is left alone.

The rows of one subject are locked for as long as its objects are being removed, so that what
``settle`` found done is done.

What went because of its age (``retention``) is removed later: the row's time lies ahead. ``settle``
waits for no such time where what is written again is concerned, and leaves the folders of attempts,
which are not, to be read until then.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.threads import Threads
from stemset.errors import ObjectCorrupt, ObjectNotFound, StemsetError, StorageUnavailable
from stemset.jobs import tables
from stemset.jobs.database import Database
from stemset.storage.keys import METADATA, claim_key
from stemset.storage.store import Store
from stemset.telemetry import crash_point, get_logger

_log = get_logger("jobs")

Arguments = ParamSpec("Arguments")

LEFT_OVER_AFTER = timedelta(days=1)
"""What an attempt that is not ours left below a deleted output goes when it is so old: by then it
has ended."""

_WITHIN_S = 600.0
_doomed = tables.doomed.c
_recordings = tables.recordings.c
_uploads = tables.uploads.c


async def work_off(database: Database, store: Store, threads: Threads) -> int:
    """Remove all that is doomed and due; what cannot be removed now stays doomed.

    Returns:
        How many outputs and recordings are done with.

    Raises:
        StorageUnavailable: The store does not answer.
        DatabaseError: The database does not.
    """
    done: list[str] = []
    failed: list[str] = []
    while True:
        async with database.transaction(_WITHIN_S) as connection:
            subject = await _next(connection, [*done, *failed])
            if subject is None:
                return len(done)
            try:
                await _remove(connection, store, threads, subject, _is_due())
                done.append(subject)
            except StorageUnavailable:
                raise
            except StemsetError as error:
                failed.append(subject)
                _log.warning("Removal failed", subject=subject, code=error.code, detail=str(error))


async def settle(database: Database, store: Store, threads: Threads, subject: str) -> None:
    """Make sure that nothing of a subject is removed from now on.

    Args:
        database: The ledger.
        store: The store.
        threads: Threads for its calls.
        subject: An output's prefix (``storage.keys.output_prefix``), or a recording's SHA-256.

    Raises:
        StorageError: What was deleted cannot be removed now.
        DatabaseError: The database does not answer.
    """
    async with database.reading() as connection:
        if not await _keys(connection, subject, _is_in_the_way()):
            return
    async with database.transaction(_WITHIN_S) as connection:
        await _remove(connection, store, threads, subject, _is_in_the_way())


def _is_due() -> ColumnElement[bool]:
    return _doomed.created_at <= func.now()


def _is_in_the_way() -> ColumnElement[bool]:
    """Whether a key is due, or is one that is written again."""
    return or_(_is_due(), _doomed.key.not_like("%/"))


async def _next(connection: AsyncConnection, tried: Collection[str]) -> str | None:
    """Lock and return a subject that nobody is at."""
    query = select(_doomed.subject).where(_doomed.subject.not_in(tried), _is_due())
    query = query.order_by(_doomed.created_at).limit(1).with_for_update(skip_locked=True)
    return (await connection.execute(query)).scalar_one_or_none()


async def _keys(
    connection: AsyncConnection, subject: str, which: ColumnElement[bool], *, lock: bool = False
) -> Sequence[str]:
    query = select(_doomed.key).where(_doomed.subject == subject, which).order_by(_doomed.key)
    query = query.with_for_update() if lock else query
    return (await connection.execute(query)).scalars().all()


async def _remove(
    connection: AsyncConnection,
    store: Store,
    threads: Threads,
    subject: str,
    which: ColumnElement[bool],
) -> None:
    keys = await _keys(connection, subject, which, lock=True)
    kept = await _keys(connection, subject, _doomed.key.not_in(keys))
    inputs = [key for key in keys if key.startswith("inputs/")]
    for key in inputs:
        if not await _is_used(connection, key):
            await _to_the_end(threads, _remove_input, store, key, subject)
    folders = [key.rstrip("/") for key in keys if key.endswith("/")]
    if len(inputs) < len(keys):
        staying = frozenset(key.rstrip("/") for key in kept)
        removal = _OutputRemoval(store, subject, frozenset(folders), staying)
        await _to_the_end(threads, removal.run)
    crash_point("removal:removed")
    await connection.execute(delete(tables.doomed).where(_doomed.key.in_(keys)))


async def _is_used(connection: AsyncConnection, key: str) -> bool:
    """Whether a recording lies under a key again, or is on its way there."""
    query = select(
        or_(
            select(_recordings.sha256)
            .where(_recordings.input_key == key, _recordings.deleted_at.is_(None))
            .exists(),
            select(_uploads.id)
            .where(_uploads.input_key == key, _uploads.completed_at.is_(None))
            .exists(),
        )
    )
    return (await connection.execute(query)).scalar_one()


async def _to_the_end(
    threads: Threads,
    work: Callable[Arguments, None],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> None:
    """Do something in a thread; not even a timeout leaves it before it has ended.

    The caller holds a lock, and what the thread does must not outlast it.
    """
    running = asyncio.ensure_future(threads.run(work, *arguments, **named))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _remove_input(store: Store, key: str, sha256: str) -> None:
    """Remove a recording, then the claim to its place, unless the claim is another's."""
    _, profile, filename = key.split("/")
    claim = claim_key(profile, filename)
    if _read(store, claim).get("sha256") in (sha256, None):
        store.delete([key])
        store.delete([claim])


@dataclass(frozen=True, slots=True)
class _OutputRemoval:
    """Removes attempts of an output that was deleted.

    Attributes:
        store: The store.
        prefix: The output's.
        folders: Keys of attempts that are known to be its.
        staying: Those of attempts that are removed later.
    """

    store: Store
    prefix: str
    folders: frozenset[str]
    staying: frozenset[str]

    def run(self) -> None:
        """Remove them; first of all what points at them."""
        published = self._published()
        if published is None or published in self.folders | self.staying:
            self.store.delete([f"{self.prefix}/{METADATA}"])
        for folder in self.folders | (self._left_over() - self.staying - {published}):
            self.store.delete([info.key for info in self.store.list_below(folder)])

    def _published(self) -> str | None:
        """The attempt that the metadata point at, None if they point at none."""
        attempt = _read(self.store, f"{self.prefix}/{METADATA}").get("attempt")
        return f"{self.prefix}/{attempt}" if isinstance(attempt, str) else None

    def _left_over(self) -> frozenset[str]:
        """Old attempts that the ledger does not know: a command line made them."""
        newest: dict[str, datetime] = {}
        for info in self.store.list_below(self.prefix):
            folder = info.key.rpartition("/")[0]
            newest[folder] = max(info.modified, newest.get(folder, info.modified))
        newest.pop(self.prefix, None)
        since = datetime.now(UTC) - LEFT_OVER_AFTER
        return frozenset(folder for folder, modified in newest.items() if modified < since)


def _read(store: Store, key: str) -> dict[str, object]:
    """A small JSON object in the store; empty if it is none."""
    try:
        found = json.loads(store.read(key))
    except (ObjectNotFound, ObjectCorrupt, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
