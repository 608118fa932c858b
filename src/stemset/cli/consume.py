"""``stemset consume``: jobs of profiles that are not remote, worked off by this machine."""

import asyncio
import os
from pathlib import Path

from stemset.config import Settings, load_settings
from stemset.dispatch.connection import Connection
from stemset.dispatch.threads import Threads
from stemset.errors import InvalidConfig
from stemset.jobs.computing import local_runner
from stemset.jobs.coordination import Coordination
from stemset.jobs.costs import by_queue
from stemset.jobs.database import Database
from stemset.jobs.job import Queue
from stemset.jobs.listening import Listening
from stemset.jobs.migrate import migrate
from stemset.jobs.task import Workshop
from stemset.serving.foreign_logs import take_foreign_logs
from stemset.serving.metrics_door import MetricsDoor, opened_metrics_door
from stemset.serving.process_age import process_age_s
from stemset.serving.stopping import told_to_stop
from stemset.storage.service_store import service_store
from stemset.storage.store import open_store
from stemset.telemetry import configure_logs, get_logger

_log = get_logger("consumer")

_THREADS = 8


def run_consume(
    *, config: Path | None, scratch: Path | None, metrics_host: str, metrics_port: int | None
) -> int:
    """Work jobs off until told to stop. Returns the exit code.

    Args:
        config: The configuration file that was named.
        scratch: Folder for recordings and stems in the making.
        metrics_host: Address that metrics are read at.
        metrics_port: Port that they are read at, None for nowhere.
    """
    settings = load_settings(config)
    if scratch is None and (named := os.environ.get("STEMSET_SCRATCH_DIR")):
        scratch = Path(named)
    if settings.database_url is None:
        raise InvalidConfig(
            "stemset consume works for a service on a PostgreSQL server: set DATABASE_URL to the "
            "same database as the service's. (stemset serve with its embedded database computes "
            "by itself.)"
        )
    configure_logs()
    take_foreign_logs("consumer")
    with opened_metrics_door(metrics_host, metrics_port, settings.metrics_token) as door:
        migrate(settings.database_url)
        asyncio.run(_consume(settings, settings.database_url, scratch, door))
    return 0


async def _consume(
    settings: Settings, conninfo: str, scratch: Path | None, door: MetricsDoor | None
) -> None:
    database = Database(conninfo, pool_size=4)
    threads = Threads(_THREADS)
    store = service_store(settings.store, settings.data)
    runner = local_runner(
        store,
        max_duration_s=settings.max_duration_s,
        stall_s=settings.stall_s,
        allow_licences=settings.allow_licences,
        scratch=scratch,
    )
    listening = Listening(database)
    workshop = Workshop(
        database=database,
        threads=threads,
        connections={Queue.LOCAL: Connection(open_store(store), runner)},
        max_duration_s=settings.max_duration_s,
        rates=by_queue(worker=None, local=settings.local_rate),
        monthly_caps=settings.monthly_caps,
    )
    coordination = Coordination(workshop, listening)
    with told_to_stop(lambda name: _log.info("Consumer stopping", signal=name)) as told:
        await runner.start()
        await listening.begin()
        tasks = [
            asyncio.create_task(told.wait()),
            asyncio.create_task(listening.run()),
            asyncio.create_task(coordination.run(alone=False)),
        ]
        if door is not None:
            tasks.append(asyncio.create_task(door.serve()))
            _log.info(f"Metrics are read at {door.url}", url=door.url)
        _log.info("Consumer ready", store=store.bucket, seconds=round(process_age_s(), 3))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await runner.close()
    threads.close(0)
    await database.close()
    for task in done:
        task.result()  # what ended by itself ended by an error
