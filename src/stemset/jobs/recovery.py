"""Recovery: what crashes leave behind is found and goes on, and nobody presses anything.

| left behind | found by | what happens |
| --- | --- | --- |
| an entry whose process is dead | its heartbeat is silent | it is let go, and taken again |
| an entry that was taken, and whose taker never heard | nobody is at it | the same |
| an open job without an entry | the ledger and the queue differ | it gets an entry |

Every process looks; what one has mended, the others do not find.
"""

import asyncio
import time
from datetime import timedelta

from stemset.errors import DatabaseError, OutputError
from stemset.jobs import entries, events
from stemset.jobs.database import Database
from stemset.jobs.queue import SILENT_S, QueueAtWork
from stemset.jobs.task import Separating
from stemset.telemetry import get_logger

_log = get_logger("jobs")

EVERY_S = 5.0
_STEADY_S = 15.0
"""After the database was away, or the whole machine asleep, other processes need a moment to show
that they live."""

_EVENTS_KEPT = timedelta(days=7)


async def recover_alone(database: Database) -> None:
    """Let everything go, where this process is the only one: what is under way is a dead one's."""
    async with database.transaction() as connection:
        freed = await entries.let_go_all(connection)
        found = await entries.defer_lost_jobs(connection)
    if freed or found:
        _log.info(f"Recovered {len(set(freed) | set(found))} jobs", freed=freed, found=found)


class Recovery:
    """Looks for what was left behind, again and again."""

    def __init__(self, database: Database, queue: QueueAtWork, task: Separating) -> None:
        """Set up; nothing is looked for yet."""
        self._database = database
        self._queue = queue
        self._task = task
        self._steady_since_s = self._looked_at_s = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (DatabaseError, OutputError) as error:
                self._looked_at_s = 0.0
                _log.warning("Recovery waits for the database", code=error.code)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once. Raises what ``Database.transaction`` does."""
        is_steady = self._is_steady()
        async with self._database.transaction() as connection:
            freed: list[str] = []
            known = self._task.job_ids
            if is_steady:
                freed += await entries.let_go_of_the_dead(connection, known, SILENT_S)
            for worker_id in self._queue.worker_ids:
                freed += await entries.let_go_lost(connection, worker_id, known, SILENT_S)
            found = await entries.defer_lost_jobs(connection)
            await events.forget(connection, _EVENTS_KEPT)
        if freed or found:
            _log.info(f"Recovered {len(set(freed) | set(found))} jobs", freed=freed, found=found)

    def _is_steady(self) -> bool:
        """Whether this process and the database were there for a while, without a gap."""
        now_s = time.time()  # of the clocks that each system has, this one counts sleep
        if abs(now_s - self._looked_at_s) > _STEADY_S:
            self._steady_since_s = now_s
        self._looked_at_s = now_s
        return now_s - self._steady_since_s >= _STEADY_S
