"""Orphans: what attempts of ours left that came to nothing, found and removed after a while.

Only folders of attempts in the ledger are touched: those of jobs that have ended, unless an output
or a complete job that is current stands on them. What a command line made is none of these. A
process that was thought dead can upload for as long as it likes: the next look finds it.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Select, and_, func, not_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.threads import Threads
from stemset.errors import InvalidKey
from stemset.jobs import outputs, tables
from stemset.jobs.database import Database
from stemset.storage.keys import AttemptFolder, parse_attempt_folder
from stemset.storage.store import Store
from stemset.telemetry import get_logger

_log = get_logger("jobs")

AFTER = timedelta(days=1)

_AT_A_TIME = 200
_attempts = tables.attempts.c
_jobs = tables.jobs.c
_outputs = tables.outputs.c


async def collect_orphans(
    database: Database, store: Store, threads: Threads, older_than: timedelta = AFTER
) -> int:
    """Remove what failed and superseded attempts left.

    Args:
        database: The ledger.
        store: The store; everything below ``outputs`` is listed, in memory that does not grow.
        threads: Threads for its calls.
        older_than: Only of jobs that ended so long ago.

    Returns:
        How many attempts' folders were removed.

    Raises:
        StorageError: The store does not answer.
        DatabaseError: The database does not.
    """
    removed = 0
    batches = _batches(_folders(store))
    while folders := await threads.run(next, batches, []):
        async with database.reading() as connection:
            orphans = await _orphans(connection, folders, older_than)
        for folder in orphans:
            await threads.run(_remove, store, folder)
        removed += len(orphans)
    if removed:
        _log.info(f"Removed what {removed} attempts left", attempts=removed)
    return removed


async def _orphans(
    connection: AsyncConnection, folders: Collection[AttemptFolder], older_than: timedelta
) -> Sequence[AttemptFolder]:
    rows = await connection.execute(_query(folders, older_than))
    return [AttemptFolder(*row) for row in rows]


def _query(folders: Collection[AttemptFolder], older_than: timedelta) -> Select[*tuple[Any, ...]]:
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
    return (
        select(*place)
        .join_from(tables.attempts, tables.jobs, _attempts.job_id == _jobs.id)
        .where(
            tuple_(*place).in_(wanted),
            _jobs.ended_at < func.now() - older_than,
            not_(func.coalesce(won, False)),
            not_(stood_on.exists()),
        )
    )


def _remove(store: Store, folder: AttemptFolder) -> None:
    store.delete([info.key for info in store.list_below(folder.prefix)])


def _folders(store: Store) -> Iterator[AttemptFolder]:
    """Every attempt's folder below ``outputs``; one can come twice where a store lists unsorted."""
    keys = (info.key.rpartition("/")[0] for info in store.list_below("outputs"))
    for prefix, _ in groupby(keys):
        try:
            yield parse_attempt_folder(prefix)
        except InvalidKey:
            continue  # an output's own folder, or no doing of ours


def _batches(folders: Iterator[AttemptFolder]) -> Iterator[list[AttemptFolder]]:
    while batch := list(islice(folders, _AT_A_TIME)):
        yield batch
