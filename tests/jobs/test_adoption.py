"""Adoption: what a command line made is taken in once, whoever looks, whatever lies there."""

import asyncio
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from order_of import JOB_ID, order_of
from order_of import put_input as put_take
from program import write_take
from sqlalchemy import select
from standing_stems import (
    STEMS,
    World,
    accepted,
    completed,
    found,
    in_world,
    manifest_of,
    note,
    put_output,
    request,
)
from structlog.testing import capture_logs

from stemset.errors import ObjectCorrupt
from stemset.jobs import deletion, library, outputs, tables
from stemset.jobs._stranger import parse_stranger
from stemset.jobs.adoption import adopt
from stemset.pipeline.attempt import Bench, perform
from stemset.pipeline.networks import Networks
from stemset.storage.exchange import KeyedExchange
from stemset.storage.keys import attempt_folder, parse_attempt_folder
from stemset.storage.outputs import find_whole, publish
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

PREFIX = "outputs/h4n/take"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return open_store(request.getfixturevalue("bucket_settings"))
    return open_store(StoreSettings("folder", str(tmp_path / "store")))


@pytest.fixture
def memory() -> Store:
    return open_store(StoreSettings("memory"))


async def adopted(world: World) -> int:
    return await adopt(world.database, world.store, world.threads)


async def only_output(world: World) -> outputs.Contents:
    async with world.database.reading() as connection:
        output_id = (await connection.execute(select(tables.outputs.c.id))).scalar_one()
        return await outputs.get(connection, output_id, None)


def published(**changes: Any) -> dict[str, Any]:
    """Metadata as they are published."""
    store = open_store(StoreSettings("memory"))
    folder = attempt_folder("h4n", "take", "cli00000", 1)
    publish(store, folder, manifest_of(found()))
    return json.loads(store.read(f"{PREFIX}/metadata.json")) | changes


def test_output_of_a_command_line_is_in_the_library(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found(filename="Über den Wolken.wav")
        folder = put_output(store, recording)

        assert await adopted(world) == 1

        contents = await only_output(world)
        assert contents.folder == folder
        assert contents.output.job_id is None
        assert sorted(contents.output.stems) == sorted(STEMS)
        assert contents.metadata["stems"]["vocals"]["stem_url"] == "vocals.wav"
        assert store.read(contents.folder.key("vocals.wav")) == STEMS["vocals"]
        async with world.database.reading() as connection:
            entry = await library.get(connection, recording.sha256, None)
        assert entry.recording.name == "Über den Wolken"
        assert entry.recording.duration_s == recording.duration_s
        assert entry.recording.channels == 2
        assert (entry.recording.is_proven, entry.recording.input_key) == (True, None)
        assert [output.id for output in entry.outputs] == [contents.output.id]
        assert await world.events_after(0) == [
            ("recording", recording.sha256),
            ("output", contents.output.id),
        ]

    in_world(database_conninfo, store, scenario)


def test_output_of_a_real_attempt_is_adopted_with_all_its_files(
    database_conninfo: str,
    store: Store,
    tmp_path: Path,
    song: NDArray[np.float32],
    networks: Networks,
):
    take = write_take(tmp_path / "take.wav", song[:, 100_000:130_000])
    put_take(store, take)
    order = order_of(take)
    folder = parse_attempt_folder(order.output.prefix)
    perform(
        order,
        KeyedExchange(store, order.input.key, folder),
        Bench(networks, str(tmp_path / "scratch")),
        lambda *_: None,
    )
    whole = find_whole(store, "h4n", order.output_name, JOB_ID, order.fingerprint)
    assert whole is not None
    publish(store, *whole)

    async def scenario(world: World) -> None:
        assert await adopted(world) == 1
        contents = await only_output(world)
        assert contents.files == whole[1].files
        stems = cast("dict[str, Any]", whole[1].metadata["stems"])
        assert contents.metadata["stems"] == json.loads(json.dumps(stems))
        assert contents.output.format == "flac"

    in_world(database_conninfo, store, scenario)


def test_adoption_again_finds_nothing(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        for number in range(450):
            put_output(memory, found(number), stems={"vocals": b"la"})
        assert await adopted(world) == 450
        assert await adopted(world) == 0
        assert await world.count("outputs") == await world.count("recordings") == 450

    in_world(database_conninfo, memory, scenario)


def test_adoption_by_several_at_once_takes_each_in_once(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        for number in range(20):
            put_output(memory, found(number))
            put_output(memory, found(number), "songs")
        counts = await asyncio.gather(*(adopted(world) for _ in range(4)))
        assert sum(counts) == 40
        assert await world.count("outputs") == 40
        assert await world.count("recordings") == 20

    in_world(database_conninfo, memory, scenario)


def test_adoption_leaves_names_that_are_reserved_and_outputs_of_jobs(
    database_conninfo: str, memory: Store
):
    async def scenario(world: World) -> None:
        one, other = found(1), found(2)
        for recording in (one, other):
            await note(world, recording)
        await completed(world, request(one), one)
        await accepted(world, request(other))
        put_output(memory, other)

        assert await adopted(world) == 0

    in_world(database_conninfo, memory, scenario)


def test_output_that_is_being_removed_is_not_adopted(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        put_output(memory, found())
        await adopted(world)
        contents = await only_output(world)
        async with world.database.transaction() as connection:
            await deletion.delete_output(connection, contents.output.id, None)

        assert await adopted(world) == 0
        assert await world.count("outputs") == 0

    in_world(database_conninfo, memory, scenario)


def test_output_that_goes_while_it_is_adopted_leaves_no_row(database_conninfo: str, memory: Store):
    class Vanishing:
        """The metadata are there once."""

        def __init__(self) -> None:
            self.reads = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(memory, name)

        def read(self, key: str, **limit: int) -> bytes:
            self.reads += 1
            if self.reads == 2:
                memory.delete([key])
            return memory.read(key, **limit)

    vanishing = Vanishing()

    async def scenario(world: World) -> None:
        put_output(memory, found())
        assert await adopted(world) == 0
        assert vanishing.reads == 2
        assert await world.count("outputs") == await world.count("recordings") == 0

    in_world(database_conninfo, cast("Store", vanishing), scenario)


def test_recording_that_was_deleted_is_back_with_its_output(database_conninfo: str, memory: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        async with world.database.transaction() as connection:
            await deletion.delete_recording(connection, recording.sha256, None)
        put_output(memory, recording)

        assert await adopted(world) == 1

        async with world.database.reading() as connection:
            entry = await library.get(connection, recording.sha256, None)
        assert len(entry.outputs) == 1

    in_world(database_conninfo, memory, scenario)


def changed(*path: str, to: object) -> Callable[[], bytes]:
    def make() -> bytes:
        metadata = published()
        place = metadata
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to
        return json.dumps(metadata).encode()

    return make


CORRUPT: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no JSON": lambda: b"\xff{",
    "a list": lambda: b"[]",
    "deep": lambda: b"[" * 100_000,
    "long number": lambda: b'{"a": ' + b"9" * 10_000 + b"}",
    "no fields": lambda: b"{}",
    "NUL": changed("recording", "tags", to={"title": "a\0b"}),
    "half a surrogate": changed("recording", "tags", to={"title": "\ud800"}),
    "infinity": changed("gain_db", to=float("inf")),
    "attempt elsewhere": changed("attempt", to="../../h4n/other/1"),
    "attempt of no name": changed("attempt", to=None),
    "hash": changed("recording", "sha256", to="ab"),
    "negative": changed("recording", "bytes", to=-1),
    "beyond 64 bit": changed("recording", "bytes", to=1 << 63),
    "no stems": changed("stems", to={}),
    "stems as a list": changed("stems", to=["vocals"]),
    "stem elsewhere": changed("stems", "vocals", "stem_url", to="../other/1/vocals.wav"),
    "stem that is no file": changed("stems", "vocals", "stem_url", to="cli00000-1/drums.wav"),
    "file elsewhere": changed(
        "files", "cli00000-1/../../x.wav", to={"bytes": 1, "sha256": "0" * 64}
    ),
    "file without length": changed("files", "cli00000-1/vocals.wav", to={"sha256": "0" * 64}),
    "file of another length": changed(
        "files", "cli00000-1/vocals.wav", to={"bytes": 99, "sha256": "0" * 64}
    ),
    "file that is not there": changed(
        "files", "cli00000-1/drums.wav", to={"bytes": 99, "sha256": "0" * 64}
    ),
    "too long": lambda: b" " * (5 << 20),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_metadata_that_cannot_be_relied_on_are_passed_over_and_told_once(
    database_conninfo: str, memory: Store, name: str
):
    async def scenario(world: World) -> None:
        put_output(memory, found(), output_name="take")
        put_output(memory, found(2), output_name="whole")
        memory.write(f"{PREFIX}/metadata.json", CORRUPT[name]())
        with capture_logs() as logs:
            assert await adopted(world) == 1
            assert await adopted(world) == 0
        told = [line["key"] for line in logs if line["event"] == "Output not adopted"]
        assert told == [f"{PREFIX}/metadata.json"]
        assert await world.count("recordings") == 1

    in_world(database_conninfo, memory, scenario)


def test_metadata_with_what_a_newer_version_adds_are_adopted():
    metadata = published(schema_version=9, more={"of": ["it"]})
    metadata["stems"]["vocals"]["pitch"] = 440

    stranger = parse_stranger(PREFIX, json.dumps(metadata).encode())

    assert stranger.metadata["more"] == {"of": ["it"]}
    assert stranger.metadata["stems"]["vocals"]["pitch"] == 440


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_content_is_read_or_refused(data: st.DataObject):
    metadata = copy.deepcopy(published())
    place: Any = metadata
    while isinstance(place, dict) and place:
        name = data.draw(st.sampled_from(sorted(place)))
        if data.draw(st.booleans()) or not isinstance(place[name], dict):
            place[name] = data.draw(JSON)
            break
        place = place[name]
    try:
        stranger = parse_stranger(PREFIX, json.dumps(metadata).encode())
    except ObjectCorrupt:
        return
    assert stranger.folder.prefix.startswith(f"{PREFIX}/")
    assert all(stranger.folder.key(name) for name in stranger.metadata["files"])


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_refused(data: bytes):
    with pytest.raises(ObjectCorrupt):
        parse_stranger(PREFIX, data)
