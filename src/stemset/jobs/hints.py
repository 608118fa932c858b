"""Hints: what a worker calls back with. The manifest decides, and is looked at once more."""

from stemset.dispatch.standing import find_attempt
from stemset.dispatch.threads import Threads
from stemset.errors import InvalidKey, ObjectCorrupt
from stemset.jobs import ledger
from stemset.jobs.database import Database
from stemset.jobs.settlement import settle
from stemset.orders.messages import Report, Status
from stemset.storage.keys import attempt_folder
from stemset.storage.store import Store
from stemset.telemetry import crash_point, get_logger

_log = get_logger("jobs")


async def take_hint(database: Database, store: Store, threads: Threads, report: Report) -> None:
    """Complete a job whose stems stand, if that is what a report speaks of.

    Raises:
        JobNotFound: There is no such job.
        StorageError: The store does not answer; the worker calls again.
    """
    async with database.reading() as connection:
        job = await ledger.get(connection, report.job_id)
    _log.info(f"Called back: {report.status}", status=report.status, state=job.state)
    if job.state.has_ended or report.status is not Status.COMPLETE:
        return  # whoever follows the attempt hears, and judges, why it failed
    crash_point("api:callback")
    try:
        folder = attempt_folder(job.profile, job.output_name, job.id, report.attempt)
        whole = await threads.run(
            find_attempt, store, folder, fingerprint=job.fingerprint, job_id=job.id
        )
    except (InvalidKey, ObjectCorrupt):
        whole = None
    if whole is None:
        _log.warning("A callback says that stems are complete which are not there")
        return
    await settle(database, store, threads, job.id, whole)
