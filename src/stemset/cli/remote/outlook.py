"""``--dry-run`` of remote work: what would be uploaded and ordered; nothing is changed."""

from collections.abc import Iterable
from pathlib import Path

from stemset.audio.decode import probe
from stemset.cli.batch import Batch, Tally, look_at, plan
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.cli.remote.connection import RemoteConnection
from stemset.cli.remote.failures import advised, ends_the_batch
from stemset.cli.remote.spending import Spending
from stemset.cli.remote.survey import name_job
from stemset.cli.report import Outlook, Report
from stemset.errors import StemsetError


def foresee(
    batch: Batch,
    paths: Iterable[Path],
    report: Report,
    connection: RemoteConnection,
    spending: Spending | None = None,
) -> ExitCode:
    """Say what would be done. Returns the exit code."""
    tally = Tally()
    for path in paths:
        try:
            _foresee_one(batch, path, report, connection, tally=tally, spending=spending)
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
    connection: RemoteConnection,
    *,
    tally: Tally,
    spending: Spending | None,
) -> None:
    recording = look_at(batch, path, report, tally)
    if recording is None:
        return
    store = connection.store
    wanted = name_job(store, plan(batch, recording, probe(recording.path, batch.limits)))
    place = wanted.find_place(store)
    stands = not batch.force and wanted.find_standing(store) is not None
    attempt = None if stands else wanted.attempt_to_order(store)
    costs = spending if attempt is not None else None
    outlook = Outlook(
        key=place.key,
        upload=not place.stands,
        attempt=attempt,
        expected=costs and costs.expected(wanted.work),
        currency=costs and costs.rate.currency,
    )
    report.foreseen(wanted.job, wanted.job_id, outlook)
