"""More connections than there may be, on real sockets: which ones go, and who is served."""

import asyncio
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stemset.serving import connections as bounded
from stemset.serving.bounded_http import BoundedHttp
from stemset.serving.connections import Connections, connections_of_this_process
from stemset.serving.lan.certificates import certified
from stemset.serving.listening import listen_on
from stemset.serving.server import BoundedServer

WITHIN_S = 20.0
AT_MOST = 20
GET = b"GET /%s HTTP/1.1\r\nhost: a\r\n\r\n"
LARGE = 64 << 20
SOME = 16 << 20

Loop = Literal["asyncio", "uvloop"]
Connect = Callable[..., socket.socket]


class Server:
    """A server on loopback with few connections.

    Attributes:
        port: Where it listens.
        connections: Its connections.
    """

    def __init__(self, port: int, connections: Connections) -> None:
        self.port = port
        self.connections = connections
        self.waiting = 0
        self.may_end = threading.Event()

    def call(self, trusting: ssl.SSLContext | None = None) -> str:
        """What somebody else is answered."""
        url = f"{'https' if trusting else 'http'}://127.0.0.1:{self.port}/plain"
        verify = trusting or True
        return httpx.get(url, timeout=WITHIN_S, trust_env=False, verify=verify).text

    async def plain(self, _request: Request) -> Response:
        return PlainTextResponse("here")

    async def held(self, _request: Request) -> Response:
        self.waiting += 1
        await asyncio.to_thread(self.may_end.wait, WITHIN_S)
        return PlainTextResponse("at last")

    async def large(self, _request: Request) -> Response:
        async def pieces():
            for _ in range(LARGE >> 16):
                yield bytes(1 << 16)

        return StreamingResponse(pieces())

    async def slow(self, _request: Request) -> Response:
        async def pieces():
            for _ in range(SOME >> 16):
                yield bytes(1 << 16)
            await asyncio.to_thread(self.may_end.wait, 2 * WITHIN_S)  # no wait for it ends in it
            yield b"at last"

        return StreamingResponse(pieces())


@contextmanager
def serving(loop: Loop, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    connections = Connections(AT_MOST)
    with listen_on("127.0.0.1", 0) as listener:
        made = Server(listener.getsockname()[1], connections)
        paths = {"/plain": made.plain, "/held": made.held, "/large": made.large, "/slow": made.slow}
        config = uvicorn.Config(
            Starlette(routes=[Route(path, answer) for path, answer in paths.items()]),
            loop=loop,
            http=BoundedHttp,
            lifespan="off",
            log_config=None,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
        server = BoundedServer(config, connections)
        thread = threading.Thread(target=lambda: server.run([listener]))
        thread.start()
        yield made
        made.may_end.set()
        server.should_exit = True
        thread.join(WITHIN_S)
    assert not thread.is_alive()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Loop:
    return request.param


@pytest.fixture
def server(loop: Loop) -> Iterator[Server]:
    with serving(loop) as made:
        yield made


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connected(begin: bytes = b"", port: int | None = None) -> socket.socket:
            address = ("127.0.0.1", port or server.port)
            made = stack.enter_context(socket.create_connection(address, timeout=WITHIN_S))
            made.sendall(begin)
            return made

        yield connected


def is_ended(connection: socket.socket) -> bool:
    """Whether the server ends it; fails if it neither does nor answers."""
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


def is_answered(connection: socket.socket, with_what: bytes) -> bool:
    """Whether an answer ends so; fails if it does not end."""
    came = b""
    while not came.endswith(with_what):
        piece = connection.recv(65_536)
        if not piece:
            return False
        came += piece
    return True


def wait_until(condition: Callable[[], object]) -> None:
    waited = threading.Event()
    for _ in range(round(WITHIN_S / 0.01)):
        if condition():
            return
        waited.wait(0.01)
    pytest.fail("it does not come to that")


@pytest.mark.parametrize("begin", [b"", b"GET /pl", GET % b"plain"], ids=["none", "part", "whole"])
def test_others_are_served_beside_more_idle_connections_than_there_may_be(
    server: Server, connect: Connect, begin: bytes
) -> None:
    held = [connect(begin) for _ in range(4 * AT_MOST)]

    assert [server.call() for _ in range(3)] == ["here"] * 3
    assert server.connections.count <= AT_MOST + 1
    assert len(held) > AT_MOST


def test_connection_that_is_idle_for_longest_makes_room(connect: Connect) -> None:
    kept = [connect() for _ in range(AT_MOST)]
    for each in [*kept, kept[0]]:
        each.sendall(GET % b"plain")
        assert is_answered(each, b"here")

    connect()

    assert is_ended(kept[1])
    kept[0].sendall(GET % b"plain")
    assert is_answered(kept[0], b"here")


def test_calls_under_way_are_answered_whoever_comes(server: Server, connect: Connect) -> None:
    at_work = [connect(GET % b"held") for _ in range(AT_MOST - 1)]
    wait_until(lambda: server.waiting == AT_MOST - 1)

    for _ in range(4 * AT_MOST):
        connect()
    served = server.call()
    server.may_end.set()

    assert served == "here"
    assert all(is_answered(each, b"at last") for each in at_work)


def test_connection_for_which_nobody_can_go_is_closed_and_later_ones_are_served(
    server: Server, connect: Connect
) -> None:
    at_work = [connect(GET % b"held") for _ in range(AT_MOST)]
    wait_until(lambda: server.waiting == AT_MOST)

    assert is_ended(connect())
    server.may_end.set()

    assert all(is_answered(each, b"at last") for each in at_work)
    assert server.call() == "here"


def test_connection_whose_client_takes_nothing_makes_room(server: Server, connect: Connect) -> None:
    for _ in range(AT_MOST):
        connect(GET % b"large")
    wait_until(lambda: len(server.connections.stuck) == AT_MOST)

    assert server.call() == "here"


def test_connection_whose_client_goes_on_taking_is_answered_whole(
    server: Server, connect: Connect
) -> None:
    reading = connect(GET % b"large")
    wait_until(lambda: len(server.connections.stuck) == 1)
    came = sum(len(reading.recv(1 << 20)) for _ in range(20))
    wait_until(lambda: len(server.connections.stuck) == 1)
    for _ in range(AT_MOST - 1):
        connect()

    assert server.call() == "here"
    while came < LARGE:
        piece = reading.recv(1 << 20)
        assert piece
        came += len(piece)


def test_connection_whose_client_has_taken_all_there_is_does_not_make_room(
    server: Server, connect: Connect
) -> None:
    reading = connect(GET % b"slow")
    wait_until(lambda: len(server.connections.stuck) == 1)
    came = 0
    while came < SOME:
        came += len(reading.recv(1 << 20))
    wait_until(lambda: not server.connections.stuck)
    for _ in range(AT_MOST - 1):
        connect(GET % b"held")
    wait_until(lambda: server.waiting == AT_MOST - 1)

    assert is_ended(connect())
    server.may_end.set()

    assert is_answered(reading, b"0\r\n\r\n")


def test_connections_that_agree_on_no_encryption_make_room(
    loop: Loop, connect: Connect, tmp_path: Path
) -> None:
    made = certified(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    trusting = ssl.create_default_context(cadata=made.authority)
    with serving(loop, made.tls) as server:
        for _ in range(4 * AT_MOST):
            connect(port=server.port)

        assert server.call(trusting) == "here"
        assert server.connections.count <= AT_MOST + 1


def test_connections_that_ended_are_counted_no_more(server: Server, connect: Connect) -> None:
    for _ in range(3):
        for each in [connect(GET % b"plain") for _ in range(2 * AT_MOST)]:
            each.close()

    wait_until(lambda: server.connections.count == 0)
    assert not server.connections.idle
    assert not server.connections.stuck


def test_process_has_the_descriptors_that_its_connections_may_take() -> None:
    connections = connections_of_this_process()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert connections.at_most <= bounded.MOST
    assert soft == hard or soft >= bounded.RESERVE + bounded.FOR_EACH * connections.at_most
