"""``stemset clean`` as people and scripts call it: lists, removes, and can be killed."""

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from aged_stems import OUTPUT_BYTES, age, made
from embedded_data import embedded_data
from program import Ended, Program
from sqlalchemy import func, update
from standing_stems import (
    World,
    accepted,
    begun,
    found,
    in_world,
    manifest_of,
    note,
    put_attempt,
    request,
)

from stemset.jobs import ledger, tables, uploads
from stemset.jobs.retention import GRACE
from stemset.jobs.uploads import Method, Wanted
from stemset.postgres.cluster import is_made, running
from stemset.storage.presigned_upload import PresignedUploads
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

Result = TypeVar("Result")

CONFIG = """
profiles:
  - {name: h4n, source_folder: ., retention: {inputs: 30d, outputs: 2w}}
  - {name: songs, source_folder: .}
"""


@dataclass(frozen=True)
class Clean:
    """The command, for one service's database and store."""

    folder: Path
    conninfo: str
    bucket: StoreSettings

    @property
    def store(self) -> Store:
        return open_store(self.bucket)

    @property
    def spools(self) -> Path:
        return self.folder / "data" / "scratch" / "uploads"

    def __call__(self, *arguments: str, **env: str) -> Ended:
        known = {"DATABASE_URL": self.conninfo, "STEMSET_DATA_DIR": str(self.folder / "data")}
        return Program(self.folder)("clean", *arguments, env={**known, **self._keys(), **env})

    def listed(self, *arguments: str, **env: str) -> list[dict[str, Any]]:
        """What it says as JSON, but the summary."""
        ended = self("--json", *arguments, **env)
        assert (ended.code, ended.err) == (0, "")
        *things, summary = ended.events()
        assert (summary["event"], summary["count"]) == ("summary", len(things))
        assert summary["bytes"] == sum(each["bytes"] for each in things)
        return things

    def play(self, scenario: Callable[[World], Awaitable[Result]]) -> Result:
        return in_world(self.conninfo, self.store, scenario)

    def keys(self) -> list[str]:
        return self.play(World.keys)

    def _keys(self) -> dict[str, str]:
        if self.bucket.kind == "folder":
            return {}
        return {
            "R2_BUCKET_NAME": self.bucket.bucket,
            "R2_ACCESS_KEY_ID": str(self.bucket.access_key_id),
            "R2_SECRET_ACCESS_KEY": str(self.bucket.secret_access_key),
            "STEMSET_S3_ENDPOINT": str(self.bucket.endpoint),
            "STEMSET_S3_REGION": str(self.bucket.region),
        }


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def clean(request: pytest.FixtureRequest, tmp_path: Path, database_conninfo: str) -> Clean:
    """The command, where both sorts of store are to be tried."""
    if request.param == "s3":
        return made_clean(tmp_path, database_conninfo, request.getfixturevalue("bucket_settings"))
    return made_clean(tmp_path, database_conninfo)


@pytest.fixture
def cleaning(tmp_path: Path, database_conninfo: str) -> Clean:
    """The command, for a service whose store is a folder."""
    return made_clean(tmp_path, database_conninfo)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    with embedded_data(tmp_path / "data") as folder:
        yield folder


def made_clean(folder: Path, conninfo: str, bucket: StoreSettings | None = None) -> Clean:
    (folder / "config.yaml").write_text(CONFIG)
    store = folder / "data" / "store"
    store.mkdir(parents=True)
    return Clean(folder, conninfo, bucket or StoreSettings("folder", str(store)))


async def one_of_everything(world: World) -> dict[str, tuple[str, str, int]]:
    """What can be removed, by its reason, beside the same that cannot."""
    old, job, output_id = await made(world)
    failed = found(2)
    await note(world, failed)
    orphan = await accepted(world, request(failed, "songs"))
    folder = await begun(world, orphan)
    manifest = manifest_of(failed)
    put_attempt(world.store, folder, manifest)
    wanted = Wanted(
        id="abandoned",
        owner="me",
        filename="never.wav",
        profile="songs",
        method=Method.DIRECT,
        size_bytes=25,
        part_bytes=10,
        mark="m",
    )
    async with world.database.transaction() as connection:
        await ledger.cancel(connection, orphan.id)
        await uploads.begin(connection, wanted)
        await uploads.receive(connection, wanted.id, 3)
    await age(world, 40 * timedelta(days=1))
    await made(world, 3)
    await made(world, 4, "songs")
    young = await accepted(world, request(found(4), "songs", output_name="failed just now"[:6]))
    put_attempt(world.store, await begun(world, young), manifest_of(found(4)))
    async with world.database.transaction() as connection:
        await ledger.cancel(connection, young.id)
        await uploads.begin(connection, replace(wanted, id="kept", mark="n"))
    left = OUTPUT_BYTES + len(b"{}") + len(manifest.to_bytes())
    return {
        "output_age": (output_id, f"outputs/h4n/{job.output_name}", OUTPUT_BYTES),
        "input_age": (old.sha256, str(old.input_key), old.bytes),
        "orphan": (folder.prefix, folder.prefix, left),
        "upload_abandoned": ("abandoned", "never.wav", 5),
    }


def test_clean_lists_what_can_be_removed_and_changes_nothing(clean: Clean):
    expected = clean.play(one_of_everything)
    before = clean.keys()

    for _ in range(2):
        things = clean.listed()
        assert {each["event"] for each in things} == {"planned"}
        assert {
            each["reason"]: (each["id"], each["place"], each["bytes"]) for each in things
        } == expected
    assert clean.keys() == before


def test_clean_told_to_remove_removes_that_and_nothing_else(clean: Clean):
    expected = clean.play(one_of_everything)
    before = clean.keys()

    things = clean.listed("--remove")

    assert {each["event"] for each in things} == {"removed"}
    assert {each["reason"]: each["id"] for each in things} == {
        reason: thing[0] for reason, thing in expected.items()
    }
    orphan = expected["orphan"][1]
    assert clean.keys() == [key for key in before if not key.startswith(orphan)]
    assert clean.listed("--remove") == []

    async def a_day_later(world: World) -> None:
        async with world.database.transaction() as connection:
            each = tables.doomed.c.created_at
            await connection.execute(update(tables.doomed).values(created_at=each - GRACE))

    clean.play(a_day_later)
    assert clean.listed("--remove") == []
    gone = [place for _, place, _ in expected.values()]
    gone.append(expected["input_age"][1].replace("inputs/", "claims/"))
    assert clean.keys() == [key for key in before if not key.startswith(tuple(gone))]
    assert clean.play(lambda world: world.count("outputs")) == 4  # two of them reserved names
    assert clean.play(lambda world: world.count("uploads")) == 3


def test_clean_says_to_people_what_and_why(cleaning: Clean):
    expected = cleaning.play(one_of_everything)

    planned, removed, again = cleaning(), cleaning("--remove"), cleaning("--remove")

    assert (planned.code, planned.err) == (0, "")
    lines = planned.out.splitlines()
    assert lines[0].startswith(f"would remove {expected['output_age'][1]} (0.0 MB): made 20")
    assert lines[0].endswith(" UTC, past the age of its profile")
    assert lines[-1] == "Would remove 4 in all, 0.0 MB. To do so: stemset clean --remove"
    lines = removed.out.splitlines()
    assert lines[1].startswith(f"removed {expected['input_age'][1]} (0.0 MB): last used 20")
    assert lines[4] == "Removed 4 in all, 0.0 MB."
    assert "its files go 24 hours later" in lines[5]
    assert again.out == "There is nothing to remove.\n"


def test_clean_leaves_files_of_uploads_that_are_written_or_known(cleaning: Clean):
    cleaning.play(one_of_everything)
    cleaning.spools.mkdir(parents=True)
    for name in ("abandoned", "kept", "left", "kept.1.ab", "young"):
        (cleaning.spools / name).write_bytes(b"x")
        if name != "young":
            os.utime(cleaning.spools / name, (0, 0))

    planned = {each["id"] for each in cleaning.listed()}
    cleaning("--remove")

    assert planned & {"abandoned", "left", "kept", "kept.1.ab", "young"} == {
        "abandoned",
        "left",
        "kept.1.ab",
    }
    assert sorted(path.name for path in cleaning.spools.iterdir()) == ["kept", "young"]


@pytest.mark.s3
def test_clean_aborts_uploads_that_the_bucket_alone_knows_and_keeps_those_in_progress(
    tmp_path: Path, database_conninfo: str, bucket_settings: StoreSettings
):
    clean = made_clean(tmp_path, database_conninfo, bucket_settings)
    bucket = PresignedUploads(bucket_settings)
    keys = {name: f"inputs/h4n/{name}.wav" for name in ("forgotten", "known", "expired", "slow")}
    ids = {name: bucket.begin(key) for name, key in keys.items()}

    async def scenario(world: World) -> None:
        for name, hours in (("known", 1), ("expired", -1)):
            wanted = Wanted(
                id=name,
                owner="me",
                filename=f"{name}.wav",
                profile="h4n",
                method=Method.PRESIGNED,
                size_bytes=100,
                mark=name,
                input_key=keys[name],
            )
            touched_at = func.now() + timedelta(hours=hours)
            async with world.database.transaction() as connection:
                await uploads.begin(connection, wanted)
                await uploads.set_multipart(connection, name, ids[name])
                change = update(tables.uploads).where(tables.uploads.c.id == name)
                await connection.execute(change.values(touched_at=touched_at))

    clean.play(scenario)
    time.sleep(11)
    put(bucket, keys["slow"], ids["slow"])
    patience = {"STEMSET_UPLOAD_EXPIRES_S": "10"}

    planned = clean.listed(**patience)
    put(bucket, keys["slow"], ids["slow"])
    removed = clean.listed("--remove", **patience)

    assert {each["id"] for each in planned} == {ids["forgotten"], "expired"}
    assert {each["id"] for each in removed} == {ids["forgotten"], "expired"}
    left = bucket.abandoned(timedelta(hours=-1), but=())
    assert {each.multipart_id for each in left} == {ids["known"], ids["slow"]}


def put(bucket: PresignedUploads, key: str, multipart_id: str) -> None:
    answer = httpx.put(bucket.link(key, multipart_id, 1), content=b"abc")
    answer.raise_for_status()


@pytest.mark.parametrize(
    ("place", "is_deleted"), [("retention:deleting", False), ("retention:deleted", True)]
)
def test_clean_killed_while_it_deletes_leaves_all_or_nothing_of_an_output(
    clean: Clean, tmp_path: Path, place: str, is_deleted: bool
):
    expected = clean.play(one_of_everything)
    before = clean.keys()

    killed = clean("--remove", STEMSET_CRASH_AT=f"{place}@{tmp_path / 'crashed'}")

    assert killed.code == -9
    assert clean.keys() == before
    reasons = {each["reason"] for each in clean.listed()}
    assert reasons == set(expected) - ({"output_age"} if is_deleted else set())
    assert (clean.play(lambda world: world.count("doomed")) > 0) == is_deleted
    assert {each["reason"] for each in clean.listed("--remove")} == reasons
    assert clean.listed() == []


def test_clean_killed_while_it_removes_files_goes_on_with_them(clean: Clean, tmp_path: Path):
    expected = clean.play(one_of_everything)
    clean("--remove")

    async def a_day_later(world: World) -> None:
        async with world.database.transaction() as connection:
            each = tables.doomed.c.created_at
            await connection.execute(update(tables.doomed).values(created_at=each - GRACE))

    clean.play(a_day_later)
    doomed = clean.play(lambda world: world.count("doomed"))
    killed = clean("--remove", STEMSET_CRASH_AT=f"removal:removed@{tmp_path / 'crashed'}")
    assert killed.code == -9
    assert clean.play(lambda world: world.count("doomed")) == doomed

    assert clean("--remove").code == 0

    assert clean.play(lambda world: world.count("doomed")) == 0
    gone = (expected["output_age"][1], expected["input_age"][1])
    assert not any(key.startswith(gone) for key in clean.play(World.keys))


def test_clean_where_no_service_has_run_is_refused_and_makes_nothing(tmp_path: Path):
    data = tmp_path / "data"

    ended = Program(tmp_path)("clean", "--data", data)

    assert ended.code == 2
    assert f"No service has run in {data}" in ended.err
    assert not data.exists()


def test_clean_for_a_stopped_service_starts_its_database_and_stops_it(tmp_path: Path, data: Path):
    program = Program(tmp_path)
    program("token", "list", "--data", data)
    assert is_made(data)

    ended = program("clean", "--data", data)

    assert (ended.code, ended.out) == (0, "There is nothing to remove.\n")
    assert running(data) is None


def test_clean_without_ages_removes_no_output_and_no_input(cleaning: Clean):
    cleaning.play(one_of_everything)
    (cleaning.folder / "config.yaml").write_text("profiles: [{name: h4n, source_folder: .}]")

    assert {each["reason"] for each in cleaning.listed()} == {"orphan", "upload_abandoned"}


def test_clean_with_a_bucket_that_is_away_says_so(cleaning: Clean):
    away = {
        "R2_BUCKET_NAME": "band",
        "R2_ACCESS_KEY_ID": "key",
        "R2_SECRET_ACCESS_KEY": "secret",
        "STEMSET_S3_ENDPOINT": "http://127.0.0.1:9",
        "STEMSET_STORAGE_RETRY_S": "0.5",
    }

    ended = cleaning("--remove", **away)

    assert ended.code == 5
    assert "[storage_unavailable]" in ended.err
