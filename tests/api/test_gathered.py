"""Many who ask at once, answered by few looks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from stemset.api._gathered import AT_ONCE, Gathered
from stemset.errors import DatabaseUnavailable

WITHIN_S = 10.0


class Shelf:
    """Holds numbers that change; a look takes as long as it is told to."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.looks: list[list[str]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.begun = asyncio.Event()
        self.error: Exception | None = None

    async def look(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Sees what is held when it begins, and tells it when it may end."""
        self.looks.append(list(keys))
        seen = {key: self.held[key] for key in keys if key in self.held}
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return seen


def played(course: Callable[[Shelf, Gathered[str, int]], Awaitable[None]]) -> None:
    async def run() -> None:
        shelf = Shelf()
        async with asyncio.timeout(WITHIN_S):
            await course(shelf, Gathered(shelf.look))

    asyncio.run(run())


def test_who_asks_while_a_look_is_under_way_is_told_what_holds_after_it_asked() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.held["a"] = 1
        shelf.may_end.clear()
        early = asyncio.create_task(gathered.get("a"))
        await shelf.begun.wait()
        shelf.held["a"] = 2
        late = asyncio.create_task(gathered.get("a"))
        await asyncio.sleep(0)
        shelf.may_end.set()
        assert (await early, await late) == (1, 2)

    played(course)


def test_all_who_wait_are_answered_by_one_look_each_with_its_own() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.held = {f"{n}": n for n in range(50)}
        asked = [f"{n}" for n in range(60)] * 3
        answers = await asyncio.gather(*map(gathered.get, asked))
        assert answers == [shelf.held.get(key) for key in asked]
        assert shelf.looks == [asked[:60]]

    played(course)


def test_more_than_fit_into_a_look_are_answered_by_the_next_ones() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.held = {f"{n}": n for n in range(2 * AT_ONCE + 1)}
        answers = await asyncio.gather(*map(gathered.get, shelf.held))
        assert answers == list(shelf.held.values())
        assert [len(keys) for keys in shelf.looks] == [AT_ONCE, AT_ONCE, 1]

    played(course)


def test_error_of_a_look_is_everybodys_who_waited_for_it_and_nobodys_else() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.error = DatabaseUnavailable("away")
        refused = await asyncio.gather(*map(gathered.get, "ab"), return_exceptions=True)
        assert refused == [shelf.error] * 2
        shelf.error = None
        assert await gathered.get("a") is None

    played(course)


def test_one_that_goes_away_takes_no_answer_from_the_others() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.held["a"] = 1
        shelf.may_end.clear()
        gone, stays = (asyncio.create_task(gathered.get("a")) for _ in range(2))
        await shelf.begun.wait()
        gone.cancel()
        await asyncio.wait([gone])
        shelf.may_end.set()
        assert gone.cancelled()
        assert await stays == 1

    played(course)


def test_look_that_is_ended_leaves_nobody_waiting_for_ever() -> None:
    async def course(shelf: Shelf, gathered: Gathered[str, int]) -> None:
        shelf.may_end.clear()
        asked = asyncio.create_task(gathered.get("a"))
        await shelf.begun.wait()
        (looking,) = asyncio.all_tasks() - {asked, asyncio.current_task()}
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        shelf.may_end.set()
        assert await gathered.get("a") is None

    played(course)
