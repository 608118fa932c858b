"""``--dry-run`` of remote work: what would be uploaded and ordered; nothing is changed."""

from collections.abc import Iterable
from pathlib import Path

from stemset.cli.batch import Batch, Tally, look_at, plan
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.cli.remote.connection import Connection
from stemset.cli.remote.failures import advised, ends_the_batch
from stemset.cli.remote.inputs import find_place
from stemset.cli.remote.survey import attempt_to_order, find_standing, name_job
from stemset.cli.report import Outlook, Report
from stemset.errors import StemsetError


def foresee(
    batch: Batch, paths: Iterable[Path], report: Report, connection: Connection
) -> ExitCode:
    """Say what would be done. Returns the exit code."""
    tally = Tally()
    for path in paths:
        try:
            _foresee_one(batch, path, report, connection, tally)
            tally.done += 1
        except StemsetError as error:
            report.failed(path, advised(error, connection.worker_url, connection.bucket))
            tally.failures.append(error)
            if ends_the_batch(error):
                break
    report.end(tally.done, len(tally.failures))
    ended_by = next(filter(ends_the_batch, tally.failures), None)
    return exit_code(ended_by) if ended_by else tally.exit_code()


def _foresee_one(
    batch: Batch,
    path: Path,
    report: Report,
    connection: Connection,
    tally: Tally,
) -> None:
    recording = look_at(batch, path, report, tally)
    if recording is None:
        return
    store = connection.store
    wanted = name_job(store, plan(batch, recording))
    place = find_place(store, wanted.profile, recording)
    stands = not batch.force and find_standing(store, wanted) is not None
    attempt = None if stands else attempt_to_order(store, wanted)
    report.foreseen(
        wanted.job, wanted.job_id, Outlook(key=place.key, upload=not place.stands, attempt=attempt)
    )
