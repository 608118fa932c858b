"""Removing objects right after the answer to a deletion; what fails here is made up for later."""

from stemset.api.service import Service
from stemset.errors import StemsetError
from stemset.jobs.removal import work_off
from stemset.telemetry import get_logger

_log = get_logger("api")


async def remove_objects(service: Service) -> None:
    """Remove what was deleted from the store, if it can be done now."""
    try:
        await work_off(service.database, service.store, service.threads)
    except StemsetError as error:
        _log.warning("Removal is put off", code=error.code, detail=str(error))
