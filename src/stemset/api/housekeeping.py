"""Housekeeping: what the service does again and again beside its jobs.

Two of the chores list everything below ``outputs/``, a call to a bucket for a thousand objects.
They take a hundredth of the time at most, so however much lies there, about 6,000 such calls a day;
orphans, which can wait, are looked for once a day.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from stemset.api import cleaning
from stemset.api.exports import desk as exports
from stemset.api.service import Service
from stemset.api.uploads.collection import collect
from stemset.jobs import audit, sessions
from stemset.jobs.adoption import adopt
from stemset.jobs.coordination import Chore
from stemset.jobs.database import Database
from stemset.jobs.orphans import collect_orphans
from stemset.jobs.removal import work_off

ORPHANS_EVERY_S = 86_400.0
FORGOTTEN_EVERY_S = 3600.0
LISTING_SHARE = 0.01


class Seldom:
    """A chore that is not done each time that it could be."""

    def __init__(
        self, chore: Chore, every_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Do it the first time that it is called, and then now and then.

        Args:
            chore: What is done; if it fails, it is done the next time again.
            every_s: The least time from one begin to the next.
            clock: The time, in seconds.
        """
        self._chore = chore
        self._every_s = every_s
        self._clock = clock
        self._due_s = clock()

    async def __call__(self) -> None:
        """Do it if it is due."""
        began_s = self._clock()
        if began_s < self._due_s:
            return
        await self._chore()
        took_s = self._clock() - began_s
        self._due_s = began_s + max(self._every_s, took_s / LISTING_SHARE)


def chores_of(service: Service, clock: Callable[[], float] = time.monotonic) -> Sequence[Chore]:
    """Everything that is to be done from time to time; each bears being done by several."""
    parts = service.database, service.store, service.threads
    expires = timedelta(seconds=service.settings.upload_expires_s)
    return (
        lambda: work_off(*parts),
        Seldom(lambda: adopt(*parts), clock=clock),
        lambda: _expire(service),
        lambda: collect(service, expires),
        lambda: exports.collect(service),
        Seldom(lambda: collect_orphans(*parts), ORPHANS_EVERY_S, clock),
        Seldom(lambda: _forget(service.database), FORGOTTEN_EVERY_S, clock),
    )


async def _forget(database: Database) -> None:
    """Forget sessions that are over, and what the audit log keeps no longer."""
    async with database.transaction() as connection:
        await sessions.forget(connection)
        await audit.forget(connection)


async def _expire(service: Service) -> None:
    """Delete what is past its age; nothing is, where the configuration gives none."""
    async for _ in cleaning.expire(service):
        pass  # its log says what
