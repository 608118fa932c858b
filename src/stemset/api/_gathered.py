"""Many who ask the same kind of thing at once, answered by few looks (request batching).

Whoever asks while a look is under way waits for the next one, which answers all who wait then. So
each is told how things stood after it asked, and however many ask, one connection does it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

AT_ONCE = 200
"""So many things are looked up by one look; more are looked up by the next."""


class Gathered(Generic[Key, Value]):
    """Looks things up by their keys. Used within one event loop."""

    def __init__(self, look: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        """Know how to look.

        Args:
            look: Looks up the things of different keys; what there is not it leaves out. What it
                raises, all who wait for it get.
        """
        self._look = look
        self._waiting: dict[Key, asyncio.Future[Value | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value | None:
        """Look one up, None if there is none. Raises what the look raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._looking is None:  # in a context of its own: it is no caller's
            self._looking = asyncio.create_task(self._look_up(), context=Context())
        return await asyncio.shield(answer)  # others may wait for it as well

    async def _look_up(self) -> None:
        """Look until nobody waits."""
        try:
            while self._waiting:
                keys = list(islice(self._waiting, AT_ONCE))
                answers = {key: self._waiting.pop(key) for key in keys}
                try:
                    await self._answer(answers)
                finally:
                    for answer in answers.values():  # of one that was ended
                        answer.cancel()
        finally:
            self._looking = None

    async def _answer(self, answers: Mapping[Key, "asyncio.Future[Value | None]"]) -> None:
        try:
            found = await self._look(list(answers))
        except Exception as error:  # noqa: BLE001 - it is theirs who asked
            for answer in answers.values():
                answer.set_exception(error)
                answer.exception()  # who asked may be gone
        else:
            for key, answer in answers.items():
                answer.set_result(found.get(key))
