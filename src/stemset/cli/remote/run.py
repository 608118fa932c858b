"""Running a batch of remote work so that Ctrl-C ends it at once and says how to go on."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from stemset.cli.batch import Batch, check_licences
from stemset.cli.exit_codes import ExitCode
from stemset.cli.human_report import SHORT_ID, shown
from stemset.cli.remote.connection import RemoteConnection
from stemset.cli.remote.coordinator import Coordinator
from stemset.cli.remote.outlook import foresee
from stemset.cli.remote.spending import Spending
from stemset.cli.remote.survey import RemoteJob
from stemset.cli.report import Report
from stemset.dispatch.threads import Threads

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_S = 1.0


def run_remote(
    batch: Batch,
    paths: Iterable[Path],
    report: Report,
    connect: Callable[[], RemoteConnection],
    spending: Spending | None = None,
) -> ExitCode:
    """Have recordings separated by the worker, and fetch their stems.

    Args:
        batch: What to make of them; it has a profile.
        paths: The recordings.
        report: Where it is told what happens.
        connect: Opens the ways to the bucket and the worker.
        spending: Counts what it costs, None if that is not known.

    Returns:
        The exit code.

    Raises:
        LicenceRefused: A model's licence is not allowed.
        SystemExit: The run was interrupted.
    """
    check_licences(batch)
    if batch.dry_run:
        return foresee(batch, paths, report, connect(), spending)
    threads = Threads()
    interrupted: list[RemoteJob | None] = []

    async def run() -> ExitCode:
        coordinator = Coordinator(batch, report, connect(), threads, spending)
        with _on_signal(lambda: interrupted.append(coordinator.at_worker)):
            return await coordinator.run(paths)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        _end_interrupted(interrupted[0], threads)
    finally:
        threads.close(0)


@contextmanager
def _on_signal(note: Callable[[], None]) -> Iterator[None]:
    """Cancel the running task when the process is asked to end, after noting where it was."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine calls this
    before = {each: signal.getsignal(each) for each in _SIGNALS}

    def cancel() -> None:
        note()
        task.cancel()

    for each in _SIGNALS:
        loop.add_signal_handler(each, cancel)
    try:
        yield
    finally:
        for each, handler in before.items():
            loop.remove_signal_handler(each)
            signal.signal(each, handler)


def _end_interrupted(at_worker: RemoteJob | None, threads: Threads) -> NoReturn:
    if at_worker is None:
        how = "Nothing half-made was left; run the same command again to go on."
    else:
        name = shown(Path(at_worker.job.recording.path.name))
        how = (
            f"The worker goes on with {name} (job {at_worker.job_id[:SHORT_ID]}); "
            "run the same command again to fetch its stems."
        )
    print(f"Interrupted. {how}", file=sys.stderr)  # noqa: T201
    if not threads.close(_GRACE_S):
        # A call to the bucket does not return. What it has made is hidden, and gone on with later.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ExitCode.INTERRUPTED)
    raise SystemExit(ExitCode.INTERRUPTED)
