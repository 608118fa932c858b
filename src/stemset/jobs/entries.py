"""Entries of the queue: written in the transaction of their job, and found again after a crash.

The queue is Procrastinate's; its tables lie in the same database. Each entry carries its job's id
as its lock, so that no two processes work the same job off at a time. Whoever writes entries needs
no connection of the queue's own.
"""

from procrastinate import App, PsycopgConnector
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs.database import driver

TASK = "stemset.separate"

_APP = App(connector=PsycopgConnector())  # never opened: it writes through its callers' connections

_WITHOUT_ENTRY = text("""
    SELECT id, queue FROM jobs
    WHERE ended_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs entry
        WHERE entry.lock = jobs.id AND entry.status IN ('todo', 'doing')
    )
    FOR UPDATE SKIP LOCKED
""")

_LET_GO = """
    UPDATE procrastinate_jobs entry SET status = 'todo', scheduled_at = NULL, worker_id = NULL
    WHERE entry.status = 'doing' AND {which}
    RETURNING entry.lock
"""

_ALL = text(_LET_GO.format(which="TRUE"))
_OF_THE_DEAD = text(
    _LET_GO.format(
        which="""
        NOT entry.lock = ANY(:known) AND NOT EXISTS (
            SELECT 1 FROM procrastinate_workers worker
            WHERE worker.id = entry.worker_id
            AND worker.last_heartbeat > now() - make_interval(secs => :silent_s)
        )
        """
    )
)
_LOST = text(
    _LET_GO.format(
        which="""
        entry.worker_id = :worker_id AND NOT entry.lock = ANY(:known) AND (
            SELECT max(event.at) FROM procrastinate_events event WHERE event.job_id = entry.id
        ) < now() - make_interval(secs => :silent_s)
        """
    )
)


async def defer(connection: AsyncConnection, job_id: str, queue: str) -> None:
    """Write a job's entry; it is worked off once the transaction is committed."""
    deferrer = _APP.configure_task(
        TASK, queue=queue, lock=job_id, connection=await driver(connection)
    )
    await deferrer.defer_async(job_id=job_id)


async def defer_lost_jobs(connection: AsyncConnection) -> list[str]:
    """Write the entry of every open job that has none. Returns the jobs' ids."""
    jobs = (await connection.execute(_WITHOUT_ENTRY)).all()
    for job in jobs:
        await defer(connection, job.id, job.queue)
    return [job.id for job in jobs]


async def let_go_all(connection: AsyncConnection) -> list[str]:
    """Free every entry, where no other process can be at one. Returns the jobs' ids."""
    return await _let_go(connection, _ALL)


async def let_go_of_the_dead(
    connection: AsyncConnection, known: list[str], silent_s: float
) -> list[str]:
    """Free entries whose process has shown no sign of life for so many seconds.

    Args:
        connection: The transaction.
        known: Jobs that this process, which lives, is at.
        silent_s: The seconds.
    """
    return await _let_go(connection, _OF_THE_DEAD, known=known, silent_s=silent_s)


async def let_go_lost(
    connection: AsyncConnection, worker_id: int, known: list[str], silent_s: float
) -> list[str]:
    """Free entries that a living worker was given, and never heard of: the answer got lost."""
    return await _let_go(connection, _LOST, worker_id=worker_id, known=known, silent_s=silent_s)


async def _let_go(
    connection: AsyncConnection, statement: TextClause, **values: object
) -> list[str]:
    return list((await connection.execute(statement, values)).scalars())
