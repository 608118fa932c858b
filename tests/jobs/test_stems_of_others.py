"""A job that is complete by stems that another program published, while an attempt at it runs."""

import asyncio
from pathlib import Path

from ledger_jobs import REQUEST, accept, hang, in_ledger, leave_whole, look, outcomes, separating

from stemset.jobs.database import Database
from stemset.jobs.job import State
from stemset.storage.keys import attempt_folder
from stemset.storage.outputs import publish, read_manifest
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store


def test_attempt_with_the_number_of_one_of_others_that_won_is_ended_at_the_runner(
    database_conninfo: str, tmp_path: Path
) -> None:
    store = open_store(StoreSettings(kind="folder", bucket=str(tmp_path)))
    folder = attempt_folder("band", REQUEST.output_name, "cli00000", 1)

    async def scenario(database: Database) -> None:
        job = await accept(database)
        task, first = separating(database, store, hang)
        dying = asyncio.create_task(task.run(job.id))
        while not first.orders:  # noqa: ASYNC110 - a runner that is told tells nobody
            await asyncio.sleep(0.01)
        dying.cancel()
        await asyncio.wait({dying})
        (order,) = first.orders
        output = order.output.model_copy(update={"prefix": folder.prefix})
        leave_whole(store, order.model_copy(update={"output": output}))
        manifest = read_manifest(store, folder)
        assert manifest is not None
        publish(store, folder, manifest)
        other, second = separating(database, store, hang)
        await other.run(job.id)

        ended = await look(database, job.id)
        assert (ended.state, ended.attempt) == (State.COMPLETE, folder.name)
        assert (second.orders, second.cancelled) == ([], [job.id])
        assert await outcomes(database, job.id) == ["cancelled"]

    in_ledger(database_conninfo, scenario)
