"""Work that is not broken off when its client goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_under_way: set[asyncio.Task[Any]] = set()


async def unbroken(work: Coroutine[Any, Any, Result]) -> Result:
    """Do something that comes to its end though who waits for it is cancelled.

    For short calls of the database within a stream: the server cancels a stream whose client is
    gone over and over again, so that not even a connection would find back to its pool.
    """
    task = asyncio.ensure_future(work)
    _under_way.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


def _forget(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to whom it matters
