"""Settling a job: a whole attempt is published and the job complete, together and once."""

from stemset.dispatch.course import Watch
from stemset.dispatch.standing import Whole, publish_once
from stemset.dispatch.threads import Threads
from stemset.jobs import attempts, ledger
from stemset.jobs.attempts import OpenAttempt, Outcome
from stemset.jobs.database import Database
from stemset.storage.store import Store
from stemset.telemetry import crash_point, get_logger

_log = get_logger("jobs")

_WITHIN_S = 180.0


async def settle(
    database: Database,
    store: Store,
    threads: Threads,
    job_id: str,
    whole: Whole,
    *,
    watch: Watch | None = None,
) -> bool:
    """Make a job complete whose stems stand whole, if it is still open.

    Its row is locked meanwhile: a cancel waits, and finds it complete; another settling finds
    nothing to do. If the process dies in between, the stems are found again.

    Args:
        database: The ledger.
        store: Where the stems stand.
        threads: Threads for its calls.
        job_id: The job.
        whole: Its stems.
        watch: Who watched the attempt, if this process followed it.

    Returns:
        Whether the job was open until now.

    Raises:
        StorageError: The metadata cannot be written; nothing is changed.
        DatabaseUnavailable: Whether it is complete is not known.
    """
    course = watch.course() if watch else None
    async with database.transaction(_WITHIN_S) as connection:
        if not await ledger.lock_open(connection, job_id):
            return False
        await threads.run(publish_once, store, whole)
        crash_point("api:published")
        folder = whole.folder
        await ledger.complete(connection, job_id, folder.name, whole.manifest.metadata)
        attempt = OpenAttempt(job_id, folder.number, folder.name)
        made = whole.manifest.metadata
        await attempts.end(
            connection,
            attempt,
            Outcome.COMPLETE,
            timings=made.get("timings"),
            device=made.get("device", {}).get("kind"),
            course=course,
        )
    crash_point("api:completed")
    stems = list(whole.manifest.metadata["stems"])
    _log.info(f"Job {job_id} completed: complete", job_id=job_id, status="complete")
    _log.info(f"Stems: {stems}", job_id=job_id, stems=stems)
    return True
