import asyncio
import threading

import pytest

from stemset.dispatch.threads import Threads
from stemset.storage.store import OnBytes

LIMIT_S = 10


def test_transfer_that_nobody_waits_for_ends() -> None:
    begun, ended = threading.Event(), threading.Event()

    def transfer(on_bytes: OnBytes) -> None:
        begun.set()
        try:
            while True:
                on_bytes(1)
        finally:
            ended.set()

    async def give_up() -> None:
        threads = Threads()
        task = asyncio.create_task(threads.move(transfer, lambda _: None))
        await asyncio.to_thread(begun.wait, LIMIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert threads.close(LIMIT_S)

    asyncio.run(give_up())

    assert ended.is_set()


def test_threads_say_that_a_call_does_not_return() -> None:
    release = threading.Event()

    async def give_up() -> bool:
        threads = Threads()
        task = asyncio.create_task(threads.run(release.wait, LIMIT_S))
        await asyncio.sleep(0)
        task.cancel()
        return threads.close(0.05)

    try:
        assert asyncio.run(give_up()) is False
    finally:
        release.set()


def test_transfer_that_fails_raises_what_it_failed_with() -> None:
    def transfer(_on_bytes: OnBytes) -> None:
        raise ZeroDivisionError

    async def move() -> None:
        with pytest.raises(ZeroDivisionError):
            await Threads().move(transfer, lambda _: None)

    asyncio.run(move())
