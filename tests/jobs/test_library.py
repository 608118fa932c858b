"""The library: pages of recordings and outputs, found by name, in any order, for those who may."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from ledger_database import LedgerDatabases
from sqlalchemy import select, text
from standing_stems import (
    STEMS,
    World,
    accepted,
    begun,
    completed,
    found,
    in_world,
    note,
    note_upload,
    request,
)

from stemset.errors import InvalidCursor, OutputNotFound, RecordingNotFound
from stemset.jobs import library, outputs, tables
from stemset.jobs.library import Direction, Entry, Sort, checked_name
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture
def store() -> Store:
    return open_store(StoreSettings("memory"))


async def names(world: World, **wanted: Any) -> list[str]:
    """Names of all recordings, page by page, in the order they come in."""
    seen, cursor = [], None
    while True:
        async with world.database.reading() as connection:
            entries, cursor = await library.page(
                connection, **{"profiles": None, "limit": 2, **wanted}, cursor=cursor
            )
        seen += [entry.recording.name for entry in entries]
        if cursor is None:
            return seen


@pytest.mark.parametrize(
    ("sort", "direction", "expected"),
    [
        (Sort.CREATED, Direction.ASCENDING, ["b", "C", "a", "A", "d"]),
        (Sort.CREATED, Direction.DESCENDING, ["d", "A", "a", "C", "b"]),
        (Sort.NAME, Direction.ASCENDING, ["a", "A", "b", "C", "d"]),
        (Sort.NAME, Direction.DESCENDING, ["d", "C", "b", "A", "a"]),
        (Sort.DURATION, Direction.ASCENDING, ["d", "b", "a", "C", "A"]),
        (Sort.DURATION, Direction.DESCENDING, ["A", "C", "a", "b", "d"]),
    ],
)
def test_pages_in_every_order_hold_each_recording_once(
    database_conninfo: str, store: Store, sort: Sort, direction: Direction, expected: list[str]
):
    durations = {"b": 1.0, "C": 5.0, "a": 2.0, "A": 7.5, "d": None}

    async def scenario(world: World) -> list[str]:
        for number, (name, duration_s) in enumerate(durations.items()):
            await note(world, found(number, filename=f"{name}.wav", duration_s=duration_s))
        return await names(world, sort=sort, direction=direction)

    got = in_world(database_conninfo, store, scenario)

    if sort is Sort.NAME:  # "a" and "A" are one name, and ordered by their hash
        assert [name.lower() for name in got] == [name.lower() for name in expected]
        assert sorted(got) == sorted(expected)
    else:
        assert got == expected


def test_page_while_recordings_are_added_neither_repeats_nor_skips(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> list[str]:
        seen, cursor = [], None
        for number in range(6):
            await note(world, found(number))
        for number in range(100, 200):
            async with world.database.reading() as connection:
                entries, cursor = await library.page(
                    connection, profiles=None, limit=2, cursor=cursor
                )
            seen += [entry.recording.name for entry in entries]
            await note(world, found(number))
            if cursor is None:
                break
        return seen

    assert in_world(database_conninfo, store, scenario) == [f"take {n}" for n in range(5, -1, -1)]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("TAKE", ["100% take.flac", "Take_1.wav"]),
        ("%", ["100% take.flac"]),
        ("_", ["Take_1.wav"]),
        ("\\", ["back\\slash.wav"]),
        ("/", []),
        (".wav", ["Take_1.wav", "back\\slash.wav"]),
        ("ünd", ["STÜNDE.mp3"]),
        ("' OR 1=1 --", []),
    ],
)
def test_search_is_a_part_of_the_name_or_filename_as_it_is_written(
    database_conninfo: str, store: Store, search: str, expected: list[str]
):
    files = ["Take_1.wav", "100% take.flac", "STÜNDE.mp3", "back\\slash.wav"]

    async def scenario(world: World) -> list[str]:
        for number, filename in enumerate(files):
            await note(world, found(number, filename=filename))
        async with world.database.reading() as connection:
            entries, _ = await library.page(connection, profiles=None, search=search, limit=10)
        return sorted(entry.recording.filename for entry in entries)

    assert in_world(database_conninfo, store, scenario) == sorted(expected)


def test_entry_holds_its_outputs_and_its_newest_job(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        one, other = found(1), found(2)
        for recording in (one, other):
            await note(world, recording)
        _, first_id = await completed(world, request(one), one)
        _, second_id = await completed(world, request(one, "songs"), one)
        newest = await accepted(world, request(one, "third"))

        async with world.database.reading() as connection:
            (empty, full), _ = await library.page(connection, profiles=None, limit=10)

        assert (empty.outputs, empty.newest_job) == ([], None)
        assert [output.id for output in full.outputs] == [second_id, first_id]
        assert full.newest_job is not None
        assert full.newest_job.id == newest.id
        output = full.outputs[1]
        assert sorted(output.stems) == ["bass", "vocals"]
        assert output.format == "wav"
        assert output.bytes == sum(map(len, STEMS.values())) + 2 * len(b"picture")
        assert output.recording_name == "take 1"

    in_world(database_conninfo, store, scenario)


def test_caller_limited_to_profiles_sees_what_these_show(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        uploaded, split, foreign, nowhere = (found(number) for number in range(4))
        await note_upload(world, uploaded, "songs")
        for recording in (split, foreign, nowhere):
            await note(world, recording)
        await completed(world, request(split), split)
        await completed(world, request(split, "songs"), split)
        await accepted(world, request(foreign, "h4n"))

        assert await names(world, profiles=frozenset({"songs"})) == ["take 1", "take 0"]
        assert await names(world, profiles=frozenset({"h4n"})) == ["take 2", "take 1"]
        assert await names(world, profiles=frozenset()) == []
        async with world.database.reading() as connection:
            entry = await library.get(connection, split.sha256, frozenset({"songs"}))
            assert {output.profile for output in entry.outputs} == {"songs"}
            assert entry.newest_job is not None
            assert entry.newest_job.profile == "songs"
            with pytest.raises(RecordingNotFound):
                await library.get(connection, foreign.sha256, frozenset({"songs"}))
            (shown,), _ = await outputs.page(
                connection, profiles=frozenset({"songs"}), search=None, cursor=None, limit=10
            )
            assert shown.profile == "songs"
            with pytest.raises(OutputNotFound):
                await outputs.get(connection, shown.id, frozenset({"h4n"}))

    in_world(database_conninfo, store, scenario)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "é",
        lambda _: "AAAA",
        lambda cursor: cursor[:-3],
        lambda cursor: "ý" + cursor,
        lambda _: "WyJjcmVhdGVkLWRlc2MiLGZhbHNlLCJ4IiwieSJd",  # a text, and no time
        lambda _: "WyJjcmVhdGVkLWRlc2MiLHRydWUsIjIwMjYtMDEtMDEiLCJ5Il0",  # a time without a zone
    ],
)
def test_cursor_that_is_none_is_refused(
    database_conninfo: str, store: Store, spoil: Callable[[str], str]
):
    async def scenario(world: World) -> None:
        for number in range(3):
            await note(world, found(number))
        async with world.database.reading() as connection:
            _, cursor = await library.page(connection, profiles=None, limit=1)
            with pytest.raises(InvalidCursor):
                await library.page(connection, profiles=None, limit=1, cursor=spoil(str(cursor)))

    in_world(database_conninfo, store, scenario)


def test_cursor_of_another_order_is_refused(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        for number in range(3):
            await note(world, found(number))
        async with world.database.reading() as connection:
            _, cursor = await library.page(connection, profiles=None, limit=1)
            with pytest.raises(InvalidCursor):
                await library.page(
                    connection, profiles=None, limit=1, cursor=cursor, sort=Sort.NAME
                )

    in_world(database_conninfo, store, scenario)


def test_rename_changes_the_name_and_tells(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        async with world.database.transaction() as connection:
            await library.rename(connection, recording.sha256, "The Bridge", None)
        async with world.database.reading() as connection:
            entry = await library.get(connection, recording.sha256, None)
        assert entry.recording.name == "The Bridge"
        assert entry.recording.filename == "take 1.wav"
        assert await world.events_after(1) == [("recording", recording.sha256)]

    in_world(database_conninfo, store, scenario)


def test_rename_of_what_the_caller_cannot_see_is_not_found(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note_upload(world, recording, "h4n")
        for sha256, profiles in ((recording.sha256, {"songs"}), ("0" * 64, None)):
            with pytest.raises(RecordingNotFound):
                async with world.database.transaction() as connection:
                    await library.rename(connection, sha256, "mine", profiles)

    in_world(database_conninfo, store, scenario)


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 201, "a\nb", "a\0b", "\ud800", "a\u2028b", "\x1b[1m"]
)
def test_name_that_cannot_be_shown_is_refused(name: str):
    with pytest.raises(ValueError, match="a name"):
        checked_name(name)


def test_name_is_kept_as_it_is_written():
    for name in ("x" * 200, "עברית", "🎸 take", "CON", "../../etc"):
        assert checked_name(f" {name} ") == name


def test_output_that_is_reserved_is_not_shown(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job = await accepted(world, request(recording))
        await begun(world, job)
        async with world.database.reading() as connection:
            entry = await library.get(connection, recording.sha256, None)
            assert list(entry.outputs) == []
            shown, _ = await outputs.page(
                connection, profiles=None, search=None, cursor=None, limit=10
            )
            assert list(shown) == []
            reserved = (await connection.execute(select(tables.outputs.c.id))).scalar_one()
            with pytest.raises(OutputNotFound):
                await outputs.get(connection, reserved, None)

    in_world(database_conninfo, store, scenario)


def test_outputs_are_paged_and_searched(database_conninfo: str, store: Store):
    async def scenario(world: World) -> None:
        made = []
        for number in range(5):
            recording = found(number)
            await note(world, recording)
            made.append((await completed(world, request(recording), recording))[1])
        seen, cursor = [], None
        async with world.database.reading() as connection:
            while True:
                shown, cursor = await outputs.page(
                    connection, profiles=None, search=None, cursor=cursor, limit=2
                )
                seen += [output.id for output in shown]
                if cursor is None:
                    break
            (only,), _ = await outputs.page(
                connection, profiles=None, search="KE 3", cursor=None, limit=9
            )
        assert seen == made[::-1]
        assert only.id == made[3]

    in_world(database_conninfo, store, scenario)


def test_contents_of_an_output_name_its_files_and_where_they_lie(
    database_conninfo: str, store: Store
):
    async def scenario(world: World) -> None:
        recording = found()
        await note(world, recording)
        job, output_id = await completed(world, request(recording), recording)
        async with world.database.reading() as connection:
            contents = await outputs.get(connection, output_id, None)
        assert contents.folder.name == f"{job.id[:8]}-1"
        assert sorted(contents.files) == ["bass.png", "bass.wav", "vocals.png", "vocals.wav"]
        assert contents.length("vocals.wav") == len(STEMS["vocals"])
        assert store.read(contents.folder.key("vocals.wav")) == STEMS["vocals"]
        with pytest.raises(OutputNotFound, match="drums"):
            contents.length("drums.wav")

    in_world(database_conninfo, store, scenario)


async def timed(world: World, **wanted: Any) -> tuple[Sequence[Entry], str | None, float]:
    """Ask three times for a page, since the machine does other things as well.

    Returns:
        Its entries, the cursor of the next one, and how long the fastest took, in seconds.
    """
    entries, cursor, took_s = [], None, []
    for _ in range(3):
        async with world.database.reading() as connection:
            begun_s = time.perf_counter()
            entries, cursor = await library.page(connection, **wanted)
            took_s.append(time.perf_counter() - begun_s)
    return entries, cursor, min(took_s)


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("profiles", [None, frozenset({"h4n"})])
def test_ten_thousand_recordings_are_listed_at_100_ms_a_page_at_most(
    ten_thousand: str, store: Store, sort: Sort, profiles: frozenset[str] | None
):
    async def scenario(world: World) -> None:
        took_s, seen, cursor = [], 0, None
        while True:
            wanted = {"profiles": profiles, "sort": sort, "limit": 200, "cursor": cursor}
            entries, cursor, page_s = await timed(world, **wanted)
            took_s.append(page_s)
            seen += len(entries)
            assert all(entry.outputs and entry.newest_job for entry in entries)
            if cursor is None:
                break
        wanted = {"profiles": profiles, "search": "TAKE 9999", "sort": sort, "limit": 50}
        entries, _, page_s = await timed(world, **wanted)
        took_s.append(page_s)
        took_s.sort()
        assert seen == 10_000
        assert [entry.recording.name for entry in entries] == ["take 9999"]
        assert took_s[len(took_s) // 2] < 0.1

    in_world(ten_thousand, store, scenario)


COPIES = """
INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object(
    'id', md5(n::text),
    'name', 'take ' || n,
    'sha256', encode(sha256(n::text::bytea), 'hex'),
    'output_name', 'take_' || n,
    'job_id', md5(n::text),
    'duration_s', n,
    'created_at', one.created_at + n * interval '1 ms',
    'completed_at', one.created_at + n * interval '1 ms'
))).* FROM {table} one, generate_series(2, 10000) n
"""


@pytest.fixture(scope="module")
def ten_thousand(ledger_databases: LedgerDatabases) -> Iterator[str]:
    """A database of 10,000 recordings with one upload, one job and one output each."""
    conninfo = ledger_databases.migrated()

    async def fill(world: World) -> None:
        recording = found()
        await note_upload(world, recording)
        await completed(world, request(recording), recording)
        async with world.database.transaction(within_s=60) as connection:
            for table in ("recordings", "uploads", "jobs", "outputs"):
                await connection.execute(text(COPIES.format(table=table)))
            await connection.execute(text("ANALYZE"))

    in_world(conninfo, open_store(StoreSettings("memory")), fill)
    yield conninfo
    ledger_databases.drop(conninfo)
