"""Coordination: all that a process does for jobs beside answering calls.

`stemset serve` and `stemset consume` both run it; they differ in the queues that they work off and
in the runners that they have.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from stemset.errors import DatabaseError, NoSpace, StemsetError
from stemset.jobs.database import Database
from stemset.jobs.listening import Listening
from stemset.jobs.queue import QueueAtWork
from stemset.jobs.recovery import Recovery, recover_alone
from stemset.jobs.task import Separating, Workshop
from stemset.telemetry import get_logger

_log = get_logger("jobs")

Chore = Callable[[], Awaitable[object]]
"""Housekeeping that is done again and again, by one process at a time or by several."""

CHORES_EVERY_S = 300.0


class Coordination:
    """One process's share in getting jobs done. Used within one event loop."""

    def __init__(
        self,
        workshop: Workshop,
        listening: Listening,
        *,
        chores: Sequence[Chore] = (),
        chores_every_s: float = CHORES_EVERY_S,
    ) -> None:
        """Set up; nothing is begun.

        Args:
            workshop: What the task needs; its connections say which queues are worked off.
            listening: Tells of jobs that other processes ended.
            chores: Housekeeping.
            chores_every_s: How often.
        """
        self._database: Database = workshop.database
        self._task = Separating(workshop)
        self._listening = listening
        self._queue = QueueAtWork(self._database.conninfo, list(workshop.connections), self._task)
        self._recovery = Recovery(self._database, self._queue, self._task)
        self._chores = chores
        self._chores_every_s = chores_every_s

    async def run(self, *, alone: bool) -> None:
        """Do it until cancelled; jobs under way are let go, so that others can go on with them.

        Args:
            alone: Whether no other process can be at this database: what seems under way is then
                what a dead one left, and is taken up at once.
        """
        if alone:
            await recover_alone(self._database)
        forget = self._listening.add_listener(self._task.hear)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.run(), name="stemset-queue")
                group.create_task(self._recovery.run(), name="stemset-recovery")
                group.create_task(self._keep_house(), name="stemset-chores")
        finally:
            forget()
            with suppress(DatabaseError, NoSpace):
                await self._recovery.look()

    async def _keep_house(self) -> None:
        while True:
            for chore in self._chores:
                try:
                    await chore()
                except StemsetError as error:
                    _log.warning("Housekeeping waits", code=error.code, detail=str(error))
            await asyncio.sleep(self._chores_every_s)
