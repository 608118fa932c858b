"""Clients of the event stream that are many, slow, or gone: they cost little, and leave nothing."""

import asyncio
import gc
import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from event_client import Message, events_of, open_unread
from library_service import await_that
from service_client import RunningService, running_service

from stemset.api import _stream_response, _unbroken, streams
from stemset.api._changes import Change
from stemset.api.streams import Follower
from stemset.jobs import events
from stemset.jobs.caller import LOCAL_CALLER
from stemset.jobs.events import Kind

pytestmark = pytest.mark.alone

CLIENTS = 500
LARGE = 1 << 20


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for both ends of many connections in one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def change(number: int, subject: str = "a", *, is_progress: bool = False, size: int = 1) -> Change:
    return Change(
        number,
        Kind.JOB,
        subject,
        is_progress=is_progress,
        profiles=None,
        message=b": " + b"x" * size + b"\n\n",
    )


def hand_on(running: RunningService, *changes: Change) -> None:
    """Give changes to all who follow."""

    async def put() -> None:
        for follower in running.streams._followers:
            for each in changes:
                follower.put(each)

    running.run(put)


def descriptors() -> int:
    return psutil.Process().num_fds()


def connections_of(running: RunningService) -> int:
    """How many connections the server has."""
    ends = psutil.Process().net_connections("tcp")
    port = urlsplit(running.url).port
    return sum(end.laddr.port == port and end.status != psutil.CONN_LISTEN for end in ends)


def followers() -> list[Follower]:
    """All that are in memory, whoever knows them."""
    gc.collect()
    # By type(): isinstance() asks a proxy for its __class__, and some libraries' proxies warn then.
    return [each for each in gc.get_objects() if type(each) is Follower]


def resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def leave_at_once(client: socket.socket) -> None:
    """End a connection as a crash does, without a farewell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def read_to_the_end(client: socket.socket) -> bytes:
    """All that was on its way when the server gave up."""
    return b"".join(iter(lambda: client.recv(LARGE), b""))


def append(running: RunningService, subject: str) -> None:
    running.in_transaction(lambda connection: events.append(connection, Kind.OUTPUT, subject))


def news_of(*changes: Change) -> list[bytes]:
    """What a follower that did not look is told after changes."""

    async def scenario() -> list[bytes]:
        follower = Follower(LOCAL_CALLER)
        for each in changes:
            follower.put(each)
        news = await follower.next(1)
        return [f"{each.number}{each.subject}".encode() for each in news.changes]

    return asyncio.run(scenario())


def test_follower_that_is_slow_holds_each_subject_once_in_order():
    told = news_of(change(1, "a"), change(2, "b"), change(3, "a"), change(4, "c"))
    assert told == [b"2b", b"3a", b"4c"]


def test_follower_is_told_progress_after_events_and_none_from_before_them():
    told = news_of(
        change(1, "a", is_progress=True),
        change(1, "b", is_progress=True),
        change(2, "a"),
        change(2, "c", is_progress=True),
    )
    assert told == [b"2a", b"1b", b"2c"]


def test_follower_that_is_too_far_behind_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "AT_MOST", 10)

    async def scenario() -> tuple[bool, int, bool]:
        follower = Follower(LOCAL_CALLER)
        for number in range(1, 14):
            follower.put(change(number, f"job-{number}"))
        first = await follower.next(1)
        follower.put(change(20))
        return first.is_cut, len(first.changes), (await follower.next(1)).is_cut

    assert asyncio.run(scenario()) == (True, 2, False)


@pytest.mark.slow
@pytest.mark.usefixtures("many_descriptors")
def test_hundreds_of_slow_and_gone_clients_leave_nothing(running: RunningService):
    left = []
    for _ in range(4):
        clients = [open_unread(running.url) for _ in range(CLIENTS)]
        await_that(lambda: len(running.streams) == CLIENTS)
        for client in clients[: CLIENTS // 2]:
            leave_at_once(client)
        for number in range(1, 21):
            hand_on(running, change(number, size=10_000), change(number, is_progress=True))
            append(running, f"output-{number}")
        await_that(lambda: len(running.streams) == CLIENTS // 2)
        for client in clients[CLIENTS // 2 :]:
            client.close()
        await_that(lambda: len(running.streams) == 0)
        await_that(lambda: connections_of(running) == 0)
        await_that(lambda: not _unbroken._under_way)  # looking for followers would hold it up
        await_that(lambda: not followers())
        left.append((descriptors(), resident_bytes()))
    (descriptors_1, resident_1), (descriptors_3, resident_3) = left[1], left[3]
    # The service itself may open one more meanwhile; a client in a hundred would leave several.
    assert descriptors_3 - descriptors_1 < CLIENTS // 100, left
    assert resident_3 - resident_1 < 4 << 20, left
    with events_of(running.url) as client:
        assert client.event().event == "hello"


@pytest.mark.slow
@pytest.mark.usefixtures("many_descriptors")
def test_one_that_reads_is_served_among_hundreds_that_do_not(running: RunningService):
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(open_unread(running.url))
        await_that(lambda: len(running.streams) == CLIENTS)
        client = stack.enter_context(events_of(running.url))
        client.event()
        hand_on(running, *(change(-1, f"job-{n}", size=LARGE // 100) for n in range(100)))
        begun_s = time.monotonic()
        append(running, "wanted")
        while (message := client.event()).json.get("id") != "wanted":
            assert message.data is not None
        assert time.monotonic() - begun_s < 2.0


def test_client_that_takes_nothing_is_let_go_and_its_connection_ended(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_stream_response, "STALLED_S", 0.3)
    with open_unread(running.url) as client:
        await_that(lambda: len(running.streams) == 1)
        for number in range(1, 11):
            hand_on(running, change(number, f"job-{number}", size=LARGE))
        await_that(lambda: len(running.streams) == 0)
        await_that(lambda: connections_of(running) == 0)
        assert not read_to_the_end(client).endswith(b"\r\n0\r\n\r\n")


def test_client_that_is_slow_but_reads_is_not_let_go(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_stream_response, "STALLED_S", 1.0)
    with events_of(running.url) as client:
        client.event()
        for number in range(1, 11):
            hand_on(running, change(number, f"job-{number}", size=LARGE))
        for _ in range(10):
            client.next()
            time.sleep(0.3)  # it is slow
        hand_on(running, change(11))
        assert client.next() == Message(comments=["x"])


def test_server_stops_soon_though_a_client_takes_nothing(tmp_path: Path, database_conninfo: str):
    with ExitStack() as clients:
        with running_service(tmp_path, database_conninfo) as running:
            client = clients.enter_context(open_unread(running.url))
            await_that(lambda: len(running.streams) == 1)
            for number in range(1, 11):
                hand_on(running, change(number, f"job-{number}", size=LARGE))
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 3.0
        read_to_the_end(client)
