"""Housekeeping: what is past its age goes by itself, and listing everything costs little."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from aged_stems import age
from library_service import make_output, make_recording, world_of
from service_client import RunningService, running_service

from stemset.api.exports import shelf
from stemset.api.housekeeping import ORPHANS_EVERY_S, Seldom, chores_of
from stemset.errors import StorageUnavailable
from stemset.jobs import outputs
from stemset.storage.store import Store

CONFIG = """
profiles:
  - {name: h4n, source_folder: ., retention: {inputs: 30d, outputs: 30d}}
  - {name: songs, source_folder: .}
"""


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Chore:
    """Takes its time, and may fail."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.times = 0
        self.fails = False

    async def __call__(self) -> None:
        self.times += 1
        self.clock.now_s += self.takes_s
        if self.fails:
            raise StorageUnavailable("It is away.")


def times_in_a_day(chore: Chore, seldom: Seldom) -> int:
    """How often it is done in a day in which it is called every five minutes."""
    before = chore.times
    until_s = chore.clock.now_s + 86_400

    async def run() -> None:
        while chore.clock.now_s < until_s:
            await seldom()
            chore.clock.now_s += 300

    asyncio.run(run())
    return chore.times - before


@pytest.fixture
def running(database_conninfo: str, tmp_path: Path) -> Iterator[RunningService]:
    with running_service(tmp_path, database_conninfo, config=CONFIG) as service:
        yield service


def keep_house(running: RunningService, chores: Any = None) -> None:
    async def once() -> None:
        for chore in chores_of(running.service) if chores is None else chores:
            await chore()

    running.run(once)


def test_chore_that_is_quick_is_done_each_time():
    chore = Chore(clock := Clock(), 0.1)

    assert times_in_a_day(chore, Seldom(chore, clock=clock)) == 288


def test_chore_that_takes_long_has_a_hundredth_of_the_time():
    chore = Chore(clock := Clock(), 60)

    assert times_in_a_day(chore, Seldom(chore, clock=clock)) in {14, 15}


def test_chore_of_once_a_day_is_done_once_a_day():
    chore = Chore(clock := Clock(), 1)
    seldom = Seldom(chore, ORPHANS_EVERY_S, clock)

    assert times_in_a_day(chore, seldom) == 1
    assert times_in_a_day(chore, seldom) == 1


def test_chore_that_failed_is_done_the_next_time():
    chore = Chore(clock := Clock(), 1)
    seldom = Seldom(chore, ORPHANS_EVERY_S, clock)
    chore.fails = True

    with pytest.raises(StorageUnavailable):
        asyncio.run(seldom())
    chore.fails = False

    assert times_in_a_day(chore, seldom) == 1


class Listed:
    """A store that counts how often everything is listed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def list_below(self, prefix: str) -> Any:
        self.times += prefix == "outputs"
        return self._store.list_below(prefix)


def test_orphans_are_not_looked_for_in_every_round(running: RunningService):
    listed = Listed(running.service.store)
    object.__setattr__(running.service, "store", cast("Store", listed))
    clock = Clock()
    chores = chores_of(running.service, clock)

    for _ in range(5):
        keep_house(running, chores)
        clock.now_s += 300

    assert listed.times == 5 + 1  # for what is to be adopted, and for orphans


def test_what_is_past_its_age_goes_where_the_profile_says_so(running: RunningService):
    old, kept = make_recording(running, 1), make_recording(running, 2, "songs")
    make_output(running, old)
    _, stays = make_output(running, kept, "songs")
    running.run(lambda: age(world_of(running)))
    young = make_recording(running, 3)

    keep_house(running)

    listed = running.client.get("/api/recordings").json()["recordings"]
    assert {each["recording_id"] for each in listed} == {kept.sha256, young.sha256}
    assert [each["output_id"] for each in running.client.get("/api/outputs").json()["outputs"]] == [
        stays
    ]


def test_output_whose_export_stands_or_is_made_stays(running: RunningService):
    folder = running.service.scratch / "exports"
    made = {
        name: make_output(running, make_recording(running, number))[1]
        for number, name in enumerate(("finished", "making", "none"), 1)
    }
    put_export(folder, made["finished"])
    running.run(lambda: age(world_of(running)))

    with shelf.making(folder, "b" * 32, made["making"]):
        keep_house(running)
        assert standing(running, made) == {"finished", "making"}
    keep_house(running)
    assert standing(running, made) == {"finished"}
    shelf.remove(folder, "a" * 32)
    keep_house(running)
    assert standing(running, made) == set()


def put_export(folder: Path, output_id: str) -> None:
    finished = shelf.Finished(
        export_id="a" * 32,
        output_id=output_id,
        profile="h4n",
        filename="mix.wav",
        file="mix.wav",
        bytes=3,
        duration_s=1.0,
        lowered_db=0.0,
        made_at=time.time(),
    )
    with shelf.making(folder, finished.export_id, output_id) as part:
        (part / finished.file).write_bytes(b"mix")
        shelf.put(folder, part, finished)


def standing(running: RunningService, made: Mapping[str, str]) -> set[str]:
    async def ids() -> set[str]:
        async with running.service.database.reading() as connection:
            found, _ = await outputs.page(
                connection, profiles=None, search=None, cursor=None, limit=100
            )
            return {each.id for each in found}

    there = running.run(ids)
    return {name for name, output_id in made.items() if output_id in there}


def test_download_that_is_under_way_comes_to_its_end(running: RunningService):
    stems = {"vocals": b"la" * 4_000_000, "bass": b"dum"}
    _, output_id = make_output(running, make_recording(running), stems=stems)
    links = running.client.get(f"/api/outputs/{output_id}").json()["files"]
    url = next(each["url"] for each in links if each["name"] == "vocals.wav")

    with running.client.stream("GET", f"/api/outputs/{output_id}/files/vocals.wav") as answer:
        chunks = answer.iter_bytes(100_000)
        came = next(chunks)
        running.run(lambda: age(world_of(running)))
        keep_house(running)
        came += b"".join(chunks)

    assert came == stems["vocals"]
    assert running.client.get(f"/api/outputs/{output_id}").status_code == 404
    assert running.client.get(url).content == stems["vocals"]  # its address is still valid
