"""Orphans: what attempts of ours left that came to nothing, found and removed after a while.

Only folders of attempts in the ledger are touched: those of jobs that have ended, unless an output
or a complete job that is current stands on them. What a command line made is none of these. A
process that was thought dead can upload for as long as it likes: the next look finds it.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Select, and_, func, not_, or_, select, tuple_

from stemset.dispatch.threads import Threads
from stemset.errors import InvalidKey
from stemset.jobs import outputs, tables
from stemset.jobs.database import Database
from stemset.jobs.findings import Finding, Reason
from stemset.storage.keys import AttemptFolder, parse_attempt_folder
from stemset.storage.store import Store

AFTER = timedelta(days=1)

_AT_A_TIME = 200
_attempts = tables.attempts.c
_doomed = tables.doomed.c
_jobs = tables.jobs.c
_outputs = tables.outputs.c


async def find_orphans(
    database: Database, store: Store, threads: Threads, older_than: timedelta = AFTER
) -> AsyncIterator[Finding]:
    """What failed and superseded attempts left.

    Args:
        database: The ledger.
        store: The store; everything below ``outputs`` is listed, in memory that does not grow: a
            thousand objects are a call to a bucket.
        threads: Threads for its calls.
        older_than: Only of jobs that ended so long ago.

    Yields:
        Attempts' folders, as they are found.

    Raises:
        StorageError: The store does not answer.
        DatabaseError: The database does not.
    """
    batches = _batches(_folders(store))
    while sizes := await threads.run(next, batches, {}):
        async with database.reading() as connection:
            rows = (await connection.execute(_query(sizes, older_than))).all()
        for *place, ended_at in rows:
            folder = AttemptFolder(*place)
            yield Finding(
                Reason.ORPHAN,
                folder.prefix,
                folder.profile,
                folder.prefix,
                sizes[folder],
                ended_at,
            )


async def remove_orphan(store: Store, threads: Threads, found: Finding) -> None:
    """Remove what ``find_orphans`` gave. Raises StorageError."""
    await threads.run(_remove, store, found.place)
    found.tell_removed()


async def collect_orphans(
    database: Database, store: Store, threads: Threads, older_than: timedelta = AFTER
) -> int:
    """Remove what failed and superseded attempts left.

    Args:
        database: The ledger.
        store: The store; see ``find_orphans``.
        threads: Threads for its calls.
        older_than: Only of jobs that ended so long ago.

    Returns:
        How many attempts' folders were removed.

    Raises:
        StorageError: The store does not answer.
        DatabaseError: The database does not.
    """
    removed = 0
    async for found in find_orphans(database, store, threads, older_than):
        await remove_orphan(store, threads, found)
        removed += 1
    return removed


def _query(folders: Mapping[AttemptFolder, int], older_than: timedelta) -> Select[*tuple[Any, ...]]:
    wanted = [(each.profile, each.output_name, each.name) for each in folders]
    place = (_jobs.profile, _jobs.output_name, _attempts.folder)
    won = and_(_jobs.is_current, _jobs.attempt == _attempts.folder)
    winner = tables.jobs.alias()
    stood_on = (
        select(_outputs.id)
        .select_from(tables.outputs.outerjoin(winner, _outputs.job_id == winner.c.id))
        .where(
            _outputs.profile == _jobs.profile,
            _outputs.output_name == _jobs.output_name,
            _outputs.state == outputs.WHOLE,
            or_(
                _outputs.metadata["attempt"].astext == _attempts.folder,
                winner.c.attempt == _attempts.folder,
            ),
        )
        .correlate(tables.jobs, tables.attempts)
    )
    prefix = func.concat_ws("/", "outputs", *place)
    removed_anyway = select(_doomed.key).where(_doomed.key == prefix + "/")
    return (
        select(*place, _jobs.ended_at)
        .join_from(tables.attempts, tables.jobs, _attempts.job_id == _jobs.id)
        .where(
            tuple_(*place).in_(wanted),
            _jobs.ended_at < func.now() - older_than,
            not_(func.coalesce(won, False)),
            not_(stood_on.exists()),
            not_(removed_anyway.exists()),
        )
    )


def _remove(store: Store, prefix: str) -> None:
    store.delete([info.key for info in store.list_below(prefix)])


def _folders(store: Store) -> Iterator[tuple[AttemptFolder, int]]:
    """Every attempt's folder below ``outputs``, with the length of what lies there.

    One can come twice, each time with a part, where a store lists unsorted.
    """
    below = store.list_below("outputs")
    for prefix, infos in groupby(below, lambda info: info.key.rpartition("/")[0]):
        try:
            yield parse_attempt_folder(prefix), sum(info.bytes for info in infos)
        except InvalidKey:
            continue  # an output's own folder, or no doing of ours


def _batches(
    folders: Iterator[tuple[AttemptFolder, int]],
) -> Iterator[Mapping[AttemptFolder, int]]:
    while batch := dict(islice(folders, _AT_A_TIME)):
        yield batch
