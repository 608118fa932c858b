"""Deletion: gone at once from the ledger and soon from the store; what came anew is left alone."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from ledger_jobs import separating, succeed
from s3_server import S3Server
from sqlalchemy import select
from standing_stems import (
    World,
    accepted,
    begun,
    completed,
    ended_before,
    found,
    in_world,
    manifest_of,
    note,
    note_upload,
    output_id,
    put_attempt,
    put_input,
    put_output,
    request,
)

from stemset.dispatch.standing import find_standing
from stemset.errors import (
    Forbidden,
    NotUploaded,
    OutputNotFound,
    RecordingNotFound,
    StorageUnavailable,
)
from stemset.jobs import accepting, deletion, events, ledger, library, outputs, tables, uploads
from stemset.jobs.adoption import adopt
from stemset.jobs.job import Job, State
from stemset.jobs.orphans import collect_orphans
from stemset.jobs.removal import settle, work_off
from stemset.storage.keys import attempt_folder, output_prefix
from stemset.storage.outputs import publish
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return open_store(request.getfixturevalue("bucket_settings"))
    return open_store(StoreSettings("folder", str(tmp_path / "store")))


@pytest.fixture
def memory() -> Store:
    return open_store(StoreSettings("memory"))


async def delete_output(world: World, output_id: str) -> None:
    async with world.database.transaction() as connection:
        await deletion.delete_output(connection, output_id, None)


async def delete_recording(
    world: World, sha256: str, profiles: frozenset[str] | None = None
) -> None:
    async with world.database.transaction() as connection:
        await deletion.delete_recording(connection, sha256, profiles)


async def removed(world: World) -> int:
    return await work_off(world.database, world.store, world.threads)


async def job_of(world: World, job_id: str) -> Job:
    async with world.database.reading() as connection:
        return await ledger.get(connection, job_id)


def test_output_deleted_is_gone_at_once_and_its_objects_soon(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        one, other = found(1), found(2)
        for recording in (one, other):
            await note(world, recording)
            put_input(store, recording)
        _, doomed = await completed(world, request(one), one)
        _, kept = await completed(world, request(other), other)
        before = await world.keys()

        await delete_output(world, doomed)

        async with world.database.reading() as connection:
            with pytest.raises(OutputNotFound):
                await outputs.get(connection, doomed, None)
            assert (await outputs.get(connection, kept, None)).output.id == kept
            entry = await library.get(connection, one.sha256, None)
            assert list(entry.outputs) == []
        assert await world.keys() == before  # not yet
        assert await removed(world) == 1
        assert await world.keys() == [key for key in before if request(one).output_name not in key]
        assert await world.count("doomed") == 0
        assert await removed(world) == 0

    in_world(database_conninfo, store, scenario)


def test_output_deleted_tells_of_it_and_of_its_recording(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        async with world.database.reading() as connection:
            number = await events.newest(connection)

        await delete_output(world, output_id)

        assert await world.events_after(number) == [
            ("output", output_id),
            ("recording", recording.sha256),
        ]

    in_world(database_conninfo, memory, scenario)


def test_output_deleted_lets_the_same_request_make_a_new_job(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        assert (await accepted(world, request(recording))).id == job.id

        await delete_output(world, output_id)

        anew = await accepted(world, request(recording))
        assert anew.id != job.id
        assert (await job_of(world, job.id)).state is State.COMPLETE

    in_world(database_conninfo, memory, scenario)


def test_output_deleted_twice_at_once_is_deleted_once(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)

        ends = await asyncio.gather(
            *(delete_output(world, output_id) for _ in range(5)), return_exceptions=True
        )

        assert ends.count(None) == 1
        assert all(isinstance(end, OutputNotFound) for end in ends if end is not None)

    in_world(database_conninfo, memory, scenario)


def test_output_deleted_while_a_job_makes_it_anew_cancels_the_job(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        other = await accepted(world, request(recording, fingerprint="e" * 64))
        await begun(world, other)

        await delete_output(world, output_id)

        assert (await job_of(world, other.id)).state is State.CANCELLED
        async with world.database.transaction() as connection:
            metadata = manifest_of(recording).metadata
            assert not await ledger.complete(connection, other.id, "late-1", metadata)
        assert await world.count("outputs") == 0

    in_world(database_conninfo, memory, scenario)


def test_output_of_another_profile_is_not_deleted(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        with pytest.raises(OutputNotFound):
            async with world.database.transaction() as connection:
                await deletion.delete_output(connection, output_id, frozenset({"songs"}))
        assert await world.count("doomed") == 0

    in_world(database_conninfo, memory, scenario)


def test_output_made_anew_before_the_old_one_was_removed_stands(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)
        job, _ = await completed(world, request(recording), recording)

        assert await removed(world) == 1

        folder = attempt_folder("h4n", job.output_name, job.id, 1)
        below = await world.keys(output_prefix("h4n", job.output_name))
        assert {key.split("/")[3] for key in below} == {folder.name, "metadata.json"}
        metadata = json.loads(store.read(f"outputs/h4n/{job.output_name}/metadata.json"))
        assert metadata["attempt"] == folder.name

    in_world(database_conninfo, store, scenario)


def test_settle_leaves_nothing_to_be_found_or_removed_later(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)

        subject = output_prefix("h4n", job.output_name)
        await settle(world.database, world.store, world.threads, subject)

        assert (
            find_standing(
                store,
                profile="h4n",
                output_name=job.output_name,
                sha256=job.sha256,
                fingerprint=job.fingerprint,
                job_id=None,
            )
            is None
        )
        assert await world.count("doomed") == 0

    in_world(database_conninfo, store, scenario)


def test_job_for_a_deleted_output_makes_its_stems_anew(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        task, runner = separating(world.database, store, succeed)
        first = await accepted(world, request(recording))
        await task.run(first.id)
        async with world.database.reading() as connection:
            doomed = await output_id(connection, request(recording))
        await delete_output(world, doomed)

        second = await accepted(world, request(recording))
        await task.run(second.id)
        await removed(world)

        assert len(runner.orders) == 2
        assert (await job_of(world, second.id)).state is State.COMPLETE
        async with world.database.reading() as connection:
            made = await output_id(connection, request(recording))
            contents = await outputs.get(connection, made, None)
        assert all(
            store.head(contents.folder.key(name)).bytes == facts["bytes"]
            for name, facts in contents.files.items()
        )

    in_world(database_conninfo, store, scenario)


def test_settle_waits_for_a_removal_that_is_under_way(database_conninfo: str, tmp_path: Path):
    store = _SlowToDelete(str(tmp_path / "store"))

    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)
        removing = asyncio.create_task(removed(world))
        await asyncio.to_thread(store.deleting.wait, 10)

        subject = output_prefix("h4n", job.output_name)
        settling = asyncio.create_task(settle(world.database, world.store, world.threads, subject))
        done, _ = await asyncio.wait({settling}, timeout=0.3)
        assert not done
        store.go_on.set()
        await settling

        assert await removing == 1
        assert await world.keys() == []

    in_world(database_conninfo, cast("Store", store), scenario)


class _SlowToDelete:
    """A folder that takes its time."""

    def __init__(self, folder: str) -> None:
        self._store = open_store(StoreSettings("folder", folder))
        self.deleting = threading.Event()
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, keys: Iterable[str]) -> None:
        self.deleting.set()
        assert self.go_on.wait(10)
        self._store.delete(keys)


def test_output_published_anew_by_a_command_line_is_not_removed(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        put_output(store, recording)
        assert await adopt(world.database, store, world.threads) == 1
        async with world.database.reading() as connection:
            output_id = (await connection.execute(select(tables.outputs.c.id))).scalar_one()
        await delete_output(world, output_id)
        folder = put_output(store, recording, attempt=2)

        await removed(world)

        kept = await world.keys("outputs")
        assert {key.split("/")[3] for key in kept} == {folder.name, "metadata.json"}

    in_world(database_conninfo, store, scenario)


def test_what_command_lines_left_below_a_deleted_output_goes_once_it_is_old(
    database_conninfo: str, tmp_path: Path
):
    store = open_store(StoreSettings("folder", str(tmp_path / "store")))

    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        for attempt in (1, 2):
            folder = attempt_folder("h4n", job.output_name, "cli00000", attempt)
            put_attempt(store, folder, manifest_of(recording))
        for file in (tmp_path / "store" / "outputs").glob("h4n/*/cli00000-1/*"):
            os.utime(file, (0, 0))
        await delete_output(world, output_id)

        await removed(world)

        kept = await world.keys("outputs")
        assert {key.split("/")[3] for key in kept} == {"cli00000-2"}

    in_world(database_conninfo, store, scenario)


def test_recording_deleted_takes_all_that_was_made_of_it(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        one, other = found(1), found(2)
        for recording in (one, other):
            put_input(store, recording)
            await note_upload(world, recording)
        await completed(world, request(one), one)
        await completed(world, request(one, "songs"), one)
        failed = await accepted(world, request(one, fingerprint="e" * 64))
        put_attempt(store, await begun(world, failed), manifest_of(one))
        await completed(world, request(other), other)

        await delete_recording(world, one.sha256)

        assert (await job_of(world, failed.id)).state is State.CANCELLED
        async with world.database.reading() as connection:
            with pytest.raises(RecordingNotFound):
                await library.get(connection, one.sha256, None)
            with pytest.raises(NotUploaded):
                await uploads.newest(connection, "local", one.filename)
            await uploads.newest(connection, "local", other.filename)
        assert await removed(world) == 3
        assert all(other.filename in key or other.sha256[:8] in key for key in await world.keys())
        assert len(await world.keys()) == 2 + 1 + 6
        with pytest.raises(RecordingNotFound):
            await delete_recording(world, one.sha256)

    in_world(database_conninfo, store, scenario)


def test_recording_that_comes_again_is_back_and_its_place_is_not_removed(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        put_input(store, recording)
        await note_upload(world, recording)
        await delete_recording(world, recording.sha256)
        await note(world, recording)

        assert await removed(world) == 1

        assert await world.keys("inputs") == [recording.input_key]
        async with world.database.reading() as connection:
            assert (await library.get(connection, recording.sha256, None)).recording.input_key

    in_world(database_conninfo, store, scenario)


def test_place_that_another_recording_has_claimed_is_not_removed(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        put_input(store, recording)
        await note_upload(world, recording)
        await delete_recording(world, recording.sha256)
        put_input(store, found(2, input_key=recording.input_key))

        await removed(world)

        assert await world.keys("inputs") == [recording.input_key]

    in_world(database_conninfo, store, scenario)


def test_recording_of_further_profiles_is_not_for_a_limited_caller_to_delete(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note_upload(world, recording, "h4n")
        await accepted(world, request(recording, "songs"))
        with pytest.raises(Forbidden):
            await delete_recording(world, recording.sha256, frozenset({"h4n"}))
        with pytest.raises(RecordingNotFound):
            await delete_recording(world, recording.sha256, frozenset({"other"}))
        await delete_recording(world, recording.sha256, frozenset({"h4n", "songs"}))

    in_world(database_conninfo, memory, scenario)


def test_deletion_and_completion_at_once_leave_no_output_behind(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        for number in range(15):
            recording = found(number)
            await note(world, recording)
            job = await accepted(world, request(recording))
            folder = await begun(world, job)
            manifest = manifest_of(recording, job_id=job.id)
            put_attempt(memory, folder, manifest)

            async def complete(job: Job = job, name: str = folder.name) -> None:
                metadata = manifest_of(found()).metadata
                async with world.database.transaction() as connection:
                    await ledger.complete(connection, job.id, name, metadata)

            await asyncio.gather(complete(), delete_recording(world, recording.sha256))
            assert (await job_of(world, job.id)).state in {State.COMPLETE, State.CANCELLED}
        await removed(world)
        assert await world.count("outputs") == 0
        assert await world.keys() == []

    in_world(database_conninfo, memory, scenario)


def test_deletion_and_acceptance_at_once_leave_no_job_without_its_output(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        for number in range(15):
            recording = found(number)
            await note(world, recording)
            _, output_id = await completed(world, request(recording), recording)
            other = request(recording, fingerprint="e" * 64)
            accepting, deleting = await asyncio.gather(
                accepted(world, other), delete_output(world, output_id), return_exceptions=True
            )
            assert isinstance(accepting, Job)
            assert deleting is None
            job = await job_of(world, accepting.id)
            async with world.database.reading() as connection:
                each = tables.outputs.c
                query = select(each.id).where(each.sha256 == recording.sha256)
                reserved = (await connection.execute(query)).scalar_one_or_none()
            assert (job.state is State.CANCELLED) == (reserved is None)

    in_world(database_conninfo, memory, scenario)


def test_job_of_a_recording_that_is_deleted_at_the_same_time_does_not_stay_open(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        for number in range(15):
            recording = found(number)
            await note(world, recording)
            accepting, deleting = await asyncio.gather(
                accepted(world, request(recording)),
                delete_recording(world, recording.sha256),
                return_exceptions=True,
            )
            assert deleting is None
            if isinstance(accepting, Job):
                assert (await job_of(world, accepting.id)).state is State.CANCELLED
            else:
                assert isinstance(accepting, NotUploaded)
        assert await world.count("outputs") == 0

    in_world(database_conninfo, memory, scenario)


def test_retry_for_a_recording_that_was_deleted_is_refused(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job = await accepted(world, request(recording))
        await delete_recording(world, recording.sha256)
        with pytest.raises(NotUploaded):
            async with world.database.transaction() as connection:
                await accepting.retry(connection, job.id, "local")

    in_world(database_conninfo, memory, scenario)


@pytest.mark.s3
def test_removal_while_the_store_is_away_is_made_up_for(
    database_conninfo: str, bucket_settings: StoreSettings, s3_server: S3Server
):
    store = open_store(replace(bucket_settings, retry_s=0.5))
    recording = found()

    async def scenario(world: World) -> None:
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)
        s3_server.stop_gateway()
        try:
            with pytest.raises(StorageUnavailable):
                await removed(world)
            assert await world.count("doomed") == 2
        finally:
            s3_server.start_gateway()
        assert await removed(world) == 1
        assert await world.keys() == []

    in_world(database_conninfo, store, scenario)


KILLED = """
import asyncio, os, signal, sys
from stemset.dispatch.threads import Threads
from stemset.jobs.database import Database
from stemset.jobs.removal import work_off
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

class Deadly:
    def __init__(self, store):
        self.store = store
    def __getattr__(self, name):
        return getattr(self.store, name)
    def delete(self, keys):
        self.store.delete(keys)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = Deadly(open_store(StoreSettings("folder", sys.argv[2])))
    await work_off(Database(sys.argv[1]), store, Threads())

asyncio.run(main())
"""


def test_removal_killed_in_the_middle_is_finished_by_the_next(
    database_conninfo: str, tmp_path: Path
):
    folder = str(tmp_path / "store")
    store = open_store(StoreSettings("folder", folder))

    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        _, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)
        command = [sys.executable, "-c", KILLED, database_conninfo, folder]
        killed = await asyncio.to_thread(subprocess.run, command, timeout=60, check=False)
        assert killed.returncode == -9
        left = await world.keys()
        assert left
        assert not any(key.endswith("metadata.json") for key in left)  # nothing points at the rest

        assert await removed(world) == 1
        assert await world.keys() == []

    in_world(database_conninfo, store, scenario)


def test_orphans_of_ended_jobs_go_once_they_are_old(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        failed = await accepted(world, request(recording))
        put_attempt(store, await begun(world, failed), manifest_of(recording))
        async with world.database.transaction() as connection:
            await ledger.cancel(connection, failed.id)

        assert await collect(world) == 0
        await ended_before(world, failed.id, timedelta(hours=25))
        assert await collect(world) == 1

        assert await world.keys() == []

    in_world(database_conninfo, store, scenario)


def test_orphans_are_not_what_stands_or_runs_or_a_command_line_made(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        made = []
        for number in range(3):
            recording = found(number)
            await note(world, recording)
            made.append(recording)
        job, _ = await completed(world, request(made[0]), made[0])
        await ended_before(world, job.id, timedelta(days=30))
        running = await accepted(world, request(made[1]))
        put_attempt(store, await begun(world, running), manifest_of(made[1]))
        put_output(store, made[2])
        store.write("outputs/h4n/not ours/at/all", b"")
        before = await world.keys()

        assert await collect(world) == 0

        assert await world.keys() == before

    in_world(database_conninfo, store, scenario)


def test_orphan_of_a_zombie_that_uploads_after_the_deletion_goes(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        await delete_output(world, output_id)
        await removed(world)
        folder = attempt_folder("h4n", job.output_name, job.id, 1)
        put_attempt(store, folder, manifest_of(recording, job_id=job.id))
        await ended_before(world, job.id, timedelta(days=2))

        assert await collect(world) == 1

        assert await world.keys() == []

    in_world(database_conninfo, store, scenario)


def test_attempt_of_an_older_job_that_another_now_stands_on_is_no_orphan(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        old, _ = await completed(world, request(recording), recording)
        async with world.database.transaction() as connection:
            await connection.execute(
                tables.jobs.update().where(tables.jobs.c.id == old.id).values(is_current=False)
            )
        job = await accepted(world, request(recording))
        folder = attempt_folder("h4n", old.output_name, old.id, 1)
        publish(memory, folder, manifest_of(recording))
        async with world.database.transaction() as connection:
            metadata = manifest_of(recording).metadata
            await ledger.complete(connection, job.id, folder.name, metadata)
        await ended_before(world, old.id, timedelta(days=2))

        assert await collect(world) == 0

    in_world(database_conninfo, memory, scenario)


async def collect(world: World) -> int:
    return await collect_orphans(world.database, world.store, world.threads)
