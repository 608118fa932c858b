import asyncio
import threading

import pytest

from stemset.cli.bars import in_words
from stemset.cli.progress import Phase, Progress, RemoteProgress
from stemset.cli.remote.transfers import Meter, Threads
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


def test_meter_counts_what_is_here_and_never_exceeds_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("stemset.cli.remote.transfers.time.monotonic", lambda: now)
    told: list[Progress] = []
    meter = Meter(Phase.FETCHING_STEMS, 1000, told.append)

    meter.found(500)
    now = 2.0
    meter(100)
    now = 2.1
    meter(100)  # too soon to be told
    now = 4.0
    meter(900)

    assert [(each.fraction, each.eta_s) for each in told] == [(0.0, None), (0.6, 8.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (RemoteProgress(Phase.UPLOADING, 0.5, 185.0), "uploading, 3:05 left"),
        (RemoteProgress(Phase.WAKING, 0.0), "waking the worker"),
        (RemoteProgress(Phase.LOADING, 0.0), "loading the network"),
        (RemoteProgress(Phase.SEPARATING, 0.5, 3.21), "separating, 3.2 s left"),
        (RemoteProgress(Phase.UPLOADING_STEMS, 0.9), "uploading stems"),
        (RemoteProgress(Phase.FETCHING_STEMS, 0.9, 12), "fetching stems, 12 s left"),
    ],
)
def test_progress_is_said_in_words(progress: Progress, words: str) -> None:
    assert in_words(progress) == words
