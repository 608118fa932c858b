"""Cleaning: everything that the service has and need not keep, found or removed.

Enters: what the configuration says of ages. Leaves: findings, each with its reason, in this order:
outputs and inputs past their age (``jobs.retention``), orphans of attempts (``jobs.orphans``),
abandoned uploads (``uploads.collection``). The service removes them from time to time
(``housekeeping``), ``stemset clean`` when somebody says so.
"""

from collections.abc import AsyncIterator, Collection
from datetime import timedelta

from stemset.api.exports import desk, shelf
from stemset.api.service import Service
from stemset.api.uploads import collection
from stemset.jobs import orphans, retention
from stemset.jobs.findings import Finding
from stemset.jobs.removal import work_off


async def find(service: Service) -> AsyncIterator[Finding]:
    """What would be removed now; nothing is changed.

    Raises:
        DatabaseError, StorageError: Not all can be seen now.
    """
    for each in await _past_their_age(service):
        yield each
    parts = service.database, service.store, service.threads
    async for each in orphans.find_orphans(*parts):
        yield each
    for each in await collection.find(service, _expires(service)):
        yield each


async def clean(service: Service) -> AsyncIterator[Finding]:
    """Remove it; what is given was removed.

    Raises:
        DatabaseError, StorageError: What could not be removed now is so another time.
    """
    async for each in expire(service):
        yield each
    parts = service.database, service.store, service.threads
    async for each in orphans.find_orphans(*parts):
        await orphans.remove_orphan(service.store, service.threads, each)
        yield each
    for each in await collection.collect(service, _expires(service)):
        yield each
    await work_off(*parts)


async def expire(service: Service) -> AsyncIterator[Finding]:
    """Delete outputs and inputs that are past their age; what is given was deleted.

    Raises:
        DatabaseError: What could not be deleted now is so another time.
    """
    rules = service.settings.retention
    for each in await _past_their_age(service):
        kept = await _in_use(service)
        if await retention.expire(service.database, rules, each, kept=kept):
            yield each


async def _past_their_age(service: Service) -> Collection[Finding]:
    rules = service.settings.retention
    async with service.database.reading() as connection:
        old = [
            *await retention.old_outputs(connection, rules),
            *await retention.old_inputs(connection, rules),
        ]
    kept = await _in_use(service) if old else ()
    return [each for each in old if each.id not in kept]


async def _in_use(service: Service) -> Collection[str]:
    """Ids of outputs that exports are made of."""
    return await service.threads.run(shelf.outputs_in_use, service.scratch / desk.FOLDER)


def _expires(service: Service) -> timedelta:
    return timedelta(seconds=service.settings.upload_expires_s)
