"""Retention: what is past its age goes, whole, and nothing that anybody needs."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aged_stems import DAY, OUTPUT_BYTES, age, made
from ledger_jobs import separating, succeed
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
    put_attempt,
    put_input,
    put_output,
    request,
)
from structlog.testing import capture_logs

from stemset.errors import NotUploaded, RecordingNotFound
from stemset.jobs import (
    accepting,
    deletion,
    events,
    ledger,
    library,
    outputs,
    retention,
    tables,
    uploads,
)
from stemset.jobs.adoption import adopt
from stemset.jobs.findings import Reason
from stemset.jobs.job import Job, State
from stemset.jobs.orphans import find_orphans
from stemset.jobs.recordings import Found
from stemset.jobs.removal import settle, work_off
from stemset.jobs.retention import GRACE, old_inputs, old_outputs
from stemset.jobs.uploads import Method, Wanted
from stemset.storage.keys import METADATA
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@dataclass(frozen=True)
class Ages:
    inputs: timedelta | None = None
    outputs: timedelta | None = None


OUTPUTS = {"h4n": Ages(outputs=30 * DAY)}
INPUTS = {"h4n": Ages(inputs=30 * DAY)}
BOTH = {"h4n": Ages(30 * DAY, 30 * DAY)}


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return open_store(request.getfixturevalue("bucket_settings"))
    return open_store(StoreSettings("folder", str(tmp_path / "store")))


@pytest.fixture
def memory() -> Store:
    return open_store(StoreSettings("memory"))


async def expired(world: World, rules: Mapping[str, Ages]) -> list[tuple[Reason, str]]:
    """Delete what is past its age, as the service does."""
    async with world.database.reading() as connection:
        old = [*await old_outputs(connection, rules), *await old_inputs(connection, rules)]
    return [
        (each.reason, each.id)
        for each in old
        if await retention.expire(world.database, rules, each)
    ]


async def removed(world: World) -> int:
    return await work_off(world.database, world.store, world.threads)


async def entry_of(world: World, recording: Found) -> library.Entry:
    async with world.database.reading() as connection:
        return await library.get(connection, recording.sha256, None)


def test_output_past_its_age_goes_and_its_files_a_day_later(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording, job, output_id = await made(world)
        await age(world, 29 * DAY)
        assert await expired(world, OUTPUTS) == []
        await age(world, 2 * DAY)
        before = await world.keys()
        with capture_logs() as logs:
            assert await expired(world, OUTPUTS) == [(Reason.OUTPUT_AGE, output_id)]

        (line,) = [each for each in logs if "reason" in each]
        assert {name: line[name] for name in ("id", "reason", "profile", "place", "bytes")} == {
            "id": output_id,
            "reason": "output_age",
            "profile": "h4n",
            "place": f"outputs/h4n/{job.output_name}",
            "bytes": OUTPUT_BYTES,
        }
        assert list((await entry_of(world, recording)).outputs) == []
        assert await removed(world) == 0
        assert await world.keys() == before

        await age(world, GRACE)
        assert await removed(world) == 1
        assert await world.keys() == [key for key in before if job.output_name not in key]
        assert await world.count("doomed") == 0

    in_world(database_conninfo, store, scenario)


def test_output_in_its_last_day_is_no_orphan_and_not_adopted(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        await made(world)
        await age(world)
        assert len(await expired(world, OUTPUTS)) == 1
        before = await world.keys()

        assert await adopt(world.database, world.store, world.threads) == 0
        assert [each async for each in find_orphans(world.database, store, world.threads)] == []
        assert await world.keys() == before

    in_world(database_conninfo, store, scenario)


def test_output_and_recording_past_their_age_tell_of_it(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording, _, output_id = await made(world)
        await age(world)
        async with world.database.reading() as connection:
            number = await events.newest(connection)

        await expired(world, OUTPUTS)

        assert await world.events_after(number) == [
            ("output", output_id),
            ("recording", recording.sha256),
        ]

    in_world(database_conninfo, memory, scenario)


def test_ages_that_are_not_given_keep_everything(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        await made(world)
        await age(world, 10_000 * DAY)

        for rules in ({}, {"h4n": Ages()}, {"songs": Ages(DAY, DAY)}):
            assert await expired(world, rules) == []

    in_world(database_conninfo, memory, scenario)


def test_output_that_an_open_job_makes_anew_stays(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording, _, output_id = await made(world)
        await age(world)
        anew = await accepted(world, request(recording, fingerprint="e" * 64))
        await begun(world, anew)

        assert await expired(world, BOTH) == []
        assert (await job_of(world, anew.id)).state is State.PROCESSING
        async with world.database.transaction() as connection:
            await ledger.cancel(connection, anew.id)
        assert await expired(world, OUTPUTS) == [(Reason.OUTPUT_AGE, output_id)]

    in_world(database_conninfo, store, scenario)


def test_output_made_anew_is_as_young_as_that(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording, _, output_id = await made(world)
        await age(world)
        again = request(recording, fingerprint="e" * 64)
        _, same = await completed(world, again, recording)
        assert same == output_id

        assert await expired(world, BOTH) == []

    in_world(database_conninfo, memory, scenario)


def test_output_made_anew_after_it_was_found_stays(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        await age(world)
        async with world.database.reading() as connection:
            (old,) = await old_outputs(connection, OUTPUTS)
        await completed(world, request(recording, fingerprint="e" * 64), recording)

        assert not await retention.expire(world.database, OUTPUTS, old)
        assert await world.count("outputs") == 1

    in_world(database_conninfo, memory, scenario)


def test_output_that_is_in_use_stays(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        _, _, output_id = await made(world)
        await age(world)
        async with world.database.reading() as connection:
            (old,) = await old_outputs(connection, OUTPUTS)

        assert not await retention.expire(world.database, OUTPUTS, old, kept={output_id})
        assert await world.count("outputs") == 1

    in_world(database_conninfo, memory, scenario)


def test_output_of_a_command_line_counts_from_when_it_was_adopted(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        put_output(store, recording)
        await adopt(world.database, store, world.threads)
        assert await expired(world, BOTH) == []
        await age(world)

        ((reason, _),) = await expired(world, BOTH)

        assert reason is Reason.OUTPUT_AGE
        with pytest.raises(RecordingNotFound):  # there is nothing of it any more
            await entry_of(world, recording)
        await age(world, GRACE)
        await removed(world)
        assert await world.keys() == []

    in_world(database_conninfo, store, scenario)


def test_output_asked_for_anew_in_its_last_day_is_made_while_the_old_one_can_be_read(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording, old, _ = await made(world)
        await age(world)
        await expired(world, OUTPUTS)
        old_folder = f"outputs/h4n/{old.output_name}/{old.attempt}"
        old_files = await world.keys(old_folder)

        job = await accepted(world, request(recording))
        assert job.id != old.id
        task, runner = separating(world.database, store, succeed)
        await task.run(job.id)

        assert len(runner.orders) == 1
        assert (await job_of(world, job.id)).state is State.COMPLETE
        assert await world.keys(old_folder) == old_files
        await age(world, GRACE)
        assert await removed(world) == 1
        assert await world.keys(old_folder) == []
        assert f"outputs/h4n/{job.output_name}/{METADATA}" in await world.keys()
        async with world.database.reading() as connection:
            (entry,) = (await entry_of(world, recording)).outputs
            contents = await outputs.get(connection, entry.id, None)
        assert len(store.read(contents.folder.key("vocals.flac"))) == 3000

    in_world(database_conninfo, store, scenario)


def test_files_that_are_as_old_as_their_output_stay_for_its_last_day(
    database_conninfo: str, tmp_path: Path
):
    store = open_store(StoreSettings("folder", str(tmp_path / "store")))

    async def scenario(world: World) -> None:
        recording, old, _ = await made(world)
        put_output(store, recording, attempt=2)  # which a command line has published since
        for file in (tmp_path / "store").glob("outputs/*/*/*/*"):
            os.utime(file, (0, 0))
        await age(world)
        await expired(world, OUTPUTS)
        prefix = f"outputs/h4n/{old.output_name}"
        files = await world.keys(f"{prefix}/{old.attempt}")

        await accepted(world, request(recording))
        await settle(world.database, store, world.threads, prefix)

        assert await world.keys(f"{prefix}/{old.attempt}") == files

    in_world(database_conninfo, store, scenario)


def test_output_deleted_by_a_person_in_its_last_day_goes_at_once(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        await age(world)
        await expired(world, OUTPUTS)
        async with world.database.transaction() as connection:
            await deletion.delete_recording(connection, recording.sha256, None)
        _, _, output_id = await made(world)
        async with world.database.transaction() as connection:
            await deletion.delete_output(connection, output_id, None)

        await removed(world)

        assert await world.keys("outputs") == []

    in_world(database_conninfo, memory, scenario)


def test_input_past_its_age_goes_while_its_outputs_stay(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording, job, output_id = await made(world)
        await age(world, 29 * DAY)
        assert await expired(world, INPUTS) == []
        await age(world, 2 * DAY)

        assert await expired(world, INPUTS) == [(Reason.INPUT_AGE, recording.sha256)]

        entry = await entry_of(world, recording)
        assert entry.recording.input_key is None
        assert [each.id for each in entry.outputs] == [output_id]
        with pytest.raises(NotUploaded):
            async with world.database.transaction() as connection:
                await accepting.accept(connection, request(recording, fingerprint="e" * 64))
        await age(world, GRACE)
        assert await removed(world) == 1
        assert await world.keys("inputs") == await world.keys("claims") == []
        assert await world.keys(f"outputs/h4n/{job.output_name}")

    in_world(database_conninfo, store, scenario)


def test_input_and_last_output_past_their_age_take_the_recording_along(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording, _, output_id = await made(world)
        failed = await accepted(world, request(recording, output_name="failed"))
        put_attempt(store, await begun(world, failed), manifest_of(recording))
        async with world.database.transaction() as connection:
            await ledger.cancel(connection, failed.id)
        await age(world)

        assert await expired(world, BOTH) == [
            (Reason.OUTPUT_AGE, output_id),
            (Reason.INPUT_AGE, recording.sha256),
        ]

        with pytest.raises(RecordingNotFound):
            await entry_of(world, recording)
        await age(world, GRACE)
        await removed(world)
        assert await world.keys() == []
        await note_upload(world, found(1), "songs")  # it can come again
        assert (await entry_of(world, recording)).recording.input_key == recording.input_key

    in_world(database_conninfo, store, scenario)


def test_input_that_comes_again_in_its_last_day_is_not_removed(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        await age(world)
        await expired(world, INPUTS)
        await note(world, recording)
        await age(world, GRACE)

        assert await removed(world) == 1

        assert await world.keys("inputs") == [recording.input_key]
        await accepted(world, request(recording, fingerprint="e" * 64))

    in_world(database_conninfo, store, scenario)


def test_input_of_an_open_job_stays(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        put_input(memory, recording)
        await note_upload(world, recording)
        job = await accepted(world, request(recording))
        await age(world)
        assert await expired(world, BOTH) == []
        async with world.database.transaction() as connection:
            await ledger.cancel(connection, job.id)
        assert await expired(world, BOTH) == []  # until now it was in use
        await ended_before(world, job.id, 31 * DAY)
        assert await expired(world, BOTH) == [(Reason.INPUT_AGE, recording.sha256)]

    in_world(database_conninfo, memory, scenario)


@pytest.mark.parametrize("known_by", ["sha256", "input_key"])
def test_input_with_an_upload_in_progress_stays(
    database_conninfo: str, memory: Store, known_by: str
):
    async def scenario(world: World) -> None:
        recording, _, output_id = await made(world)
        await age(world)
        wanted = Wanted(
            id="again",
            owner="me",
            filename=recording.filename,
            profile="h4n",
            method=Method.PRESIGNED,
            size_bytes=recording.bytes,
            mark="m",
            **{known_by: getattr(recording, known_by)},
        )
        async with world.database.transaction() as connection:
            await uploads.begin(connection, wanted)

        assert await expired(world, BOTH) == [(Reason.OUTPUT_AGE, output_id)]
        assert (await entry_of(world, recording)).recording.input_key == recording.input_key

    in_world(database_conninfo, memory, scenario)


def test_input_uploaded_again_is_as_young_as_that(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        await age(world)
        await note_upload(world, recording, "again")

        rules = {**INPUTS, "again": Ages(inputs=30 * DAY)}
        assert await expired(world, rules) == []

    in_world(database_conninfo, memory, scenario)


def test_input_that_further_profiles_have_used_stays_as_long_as_any_wants(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        await completed(world, request(recording, "songs"), recording)
        await age(world)

        assert await expired(world, INPUTS) == []
        assert await expired(world, {**INPUTS, "songs": Ages(outputs=DAY * 60)}) == []
        assert await expired(world, {**INPUTS, "songs": Ages(inputs=60 * DAY)}) == []
        rules = {**INPUTS, "songs": Ages(inputs=DAY)}
        assert await expired(world, rules) == [(Reason.INPUT_AGE, recording.sha256)]

    in_world(database_conninfo, memory, scenario)


def test_retry_of_a_job_whose_input_went_is_refused(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording, _, _ = await made(world)
        failed = await accepted(world, request(recording, fingerprint="e" * 64))
        async with world.database.transaction() as connection:
            await ledger.cancel(connection, failed.id)
        await age(world)
        await expired(world, INPUTS)

        with pytest.raises(NotUploaded):
            async with world.database.transaction() as connection:
                await accepting.retry(connection, failed.id, "local")
        elsewhere = found(input_key="inputs/h4n/elsewhere.wav")
        await note(world, elsewhere)
        async with world.database.transaction() as connection:
            retried = await accepting.retry(connection, failed.id, "local")
        assert retried.input_key == "inputs/h4n/elsewhere.wav"

    in_world(database_conninfo, memory, scenario)


@pytest.mark.parametrize("rules", [OUTPUTS, INPUTS])
def test_expiry_and_acceptance_at_once_never_take_from_an_open_job(
    database_conninfo: str, memory: Store, rules: Mapping[str, Ages]
):
    async def scenario(world: World) -> None:
        ends = set[str]()
        for number in range(20):
            recording, _, _ = await made(world, number)
            await age(world)
            async with world.database.reading() as connection:
                look = old_outputs if rules is OUTPUTS else old_inputs
                (old,) = [
                    each
                    for each in await look(connection, rules)
                    if recording.sha256[:8] in each.place or each.id == recording.sha256
                ]
            anew = request(recording, fingerprint="e" * 64)
            accepting, expiring = await asyncio.gather(
                accepted(world, anew),
                retention.expire(world.database, rules, old),
                return_exceptions=True,
            )
            assert isinstance(expiring, bool)
            if isinstance(accepting, NotUploaded):
                ends.add("not uploaded")
                assert (rules, expiring) == (INPUTS, True)
                continue
            assert isinstance(accepting, Job)
            job = await job_of(world, accepting.id)
            assert not job.state.has_ended
            async with world.database.transaction() as connection:
                each = tables.outputs.c
                reserved = select(each.id).where(each.output_name == job.output_name)
                assert (await connection.execute(reserved)).scalar_one_or_none()
                if rules is INPUTS:
                    assert not expiring
                await ledger.cancel(connection, job.id)

    in_world(database_conninfo, memory, scenario)


def test_expiry_and_deletion_at_once_both_end(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        for number in range(15):
            recording, _, _ = await made(world, number)
            await age(world)

            async def delete(sha256: str = recording.sha256) -> None:
                async with world.database.transaction() as connection:
                    await deletion.delete_recording(connection, sha256, None)

            ends = await asyncio.gather(delete(), expired(world, BOTH), return_exceptions=True)
            assert not isinstance(ends[1], BaseException)
            assert ends[0] is None or isinstance(ends[0], RecordingNotFound)
        await age(world, GRACE)
        await removed(world)
        assert await world.keys() == []
        assert await world.count("outputs") == 0

    in_world(database_conninfo, memory, scenario)


def test_expiry_by_several_at_once_is_told_of_once(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        for number in range(5):
            await made(world, number)
        await age(world)

        ends = await asyncio.gather(*(expired(world, BOTH) for _ in range(4)))

        told = [each for end in ends for each in end]
        assert len(told) == len(set(told)) == 10

    in_world(database_conninfo, memory, scenario)


async def job_of(world: World, job_id: str) -> Job:
    async with world.database.reading() as connection:
        return await ledger.get(connection, job_id)
