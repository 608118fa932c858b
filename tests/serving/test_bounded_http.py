"""Clients that begin a request and do not get on with it, on real sockets."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stemset.serving.bounded_http import HEAD_WITHIN_S, MAX_HEAD_BYTES, BoundedHttp
from stemset.serving.listening import listen_on

pytestmark = pytest.mark.alone

WITHIN_S = 20.0
LATE_S = 0.5
LONGEST = 4096
IDLE_S = 1
EVENTS = 6
GET = b"GET /plain HTTP/1.1\r\nhost: a\r\n"
POST = b"POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"

Connect = Callable[..., socket.socket]


class Hasty(BoundedHttp):
    head_within_s = LATE_S


class Short(BoundedHttp):
    max_head_bytes = LONGEST


async def plain(_request: Request) -> Response:
    return PlainTextResponse("here")


async def slow(_request: Request) -> Response:
    async def pieces():
        for _ in range(EVENTS):
            yield b"event"
            await asyncio.sleep(LATE_S / 2)

    return StreamingResponse(pieces())


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@contextmanager
def serving(http: type[BoundedHttp]) -> Iterator[int]:
    """A server; gives its port."""
    routes = [Route("/plain", plain), Route("/slow", slow)]
    app = Starlette(routes=[*routes, Route("/length", length, methods=["POST"])])
    config = uvicorn.Config(
        app, http=http, lifespan="off", log_config=None, timeout_keep_alive=IDLE_S
    )
    server = uvicorn.Server(config)
    with listen_on("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=lambda: server.run([listener]))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(WITHIN_S)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    with serving(Hasty) as port:
        yield port


@pytest.fixture(scope="module")
def short() -> Iterator[int]:
    with serving(Short) as port:
        yield port


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def connected(port: int, begin: bytes = b"") -> socket.socket:
            made = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
            made.sendall(begin)
            return stack.enter_context(made)

        yield connected


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection; fails if it does not."""
    came = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            came += piece
    return came


def trickle(connection: socket.socket, piece: bytes) -> tuple[bytes, float]:
    """Send a piece now and then until the connection is ended; what came, after how long."""
    began_s = time.monotonic()
    connection.settimeout(LATE_S / 10)
    while time.monotonic() < began_s + WITHIN_S:
        try:
            connection.sendall(piece)
            came = connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            came = b""
        return came, time.monotonic() - began_s
    pytest.fail("the connection is kept")


def pour(connection: socket.socket, most: int) -> int:
    """Send without end; how many bytes were taken before the connection was ended."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            sent += connection.send(b"x" * 65_536)
    return sent


def served(port: int) -> float:
    """Seconds that a call of somebody else takes."""
    began_s = time.monotonic()
    assert httpx.get(f"http://127.0.0.1:{port}/plain", timeout=WITHIN_S).text == "here"
    return time.monotonic() - began_s


def test_bounds_leave_room_for_who_means_well():
    assert HEAD_WITHIN_S >= 10
    assert MAX_HEAD_BYTES >= 32 * 1024


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(b"", b"G"), (GET, b"a"), (GET, b"a: b\r\n"), (GET + b"a: ", b"b")],
    ids=["method", "name", "fields", "value"],
)
def test_head_that_trickles_is_given_up(hasty: int, connect: Connect, begin: bytes, piece: bytes):
    _, after_s = trickle(connect(hasty, begin), piece)

    assert after_s < WITHIN_S / 2


def test_head_that_stops_is_answered_as_late(hasty: int, connect: Connect):
    came = until_closed(connect(hasty, GET))

    assert came.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert came.endswith(b"The head did not arrive in time.")


def test_connection_on_which_nothing_is_said_is_closed_without_a_word(hasty: int, connect: Connect):
    assert until_closed(connect(hasty)) == b""


@pytest.mark.parametrize("between", [b"", b"\r\n", GET], ids=["nothing", "line ends", "a head"])
def test_connection_that_is_kept_is_closed_when_no_call_comes(
    hasty: int, connect: Connect, between: bytes
):
    connection = connect(hasty, GET + b"\r\n")
    assert connection.recv(65_536).endswith(b"here")

    _, after_s = trickle(connection, between)

    assert after_s < WITHIN_S / 2


def test_hundreds_of_heads_that_stop_are_all_given_up(hasty: int, connect: Connect):
    stopped = [connect(hasty, GET) for _ in range(300)]

    assert all(until_closed(each).startswith(b"HTTP/1.1 408 ") for each in stopped)
    assert served(hasty) < WITHIN_S / 2


def test_others_are_served_beside_hundreds_whose_heads_do_not_come(short: int, connect: Connect):
    for _ in range(300):
        connect(short, GET)

    assert served(short) < WITHIN_S / 2


@pytest.mark.parametrize(
    "begin",
    [b"GET /", GET + b"a", GET + b"a: ", POST + b"0\r\na: ", POST + b"1;a="],
    ids=["target", "name", "value", "trailer", "chunk"],
)
def test_head_without_end_is_refused_while_it_comes(short: int, connect: Connect, begin: bytes):
    assert pour(connect(short, begin), 100 << 20) < 20 << 20  # the rest is what sockets hold
    served(short)


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_head_may_be_so_long_and_not_a_byte_longer(short: int, connect: Connect, pieces: int):
    end = b"\r\n\r\n"
    filled = GET + b"a: " + b"b" * (LONGEST - len(GET) - len(b"a: ") - len(end)) + end
    statuses: list[bytes] = []
    for head in (filled, filled.replace(b"a: ", b"a: b", 1)):
        connection = connect(short)
        size = -(-len(head) // pieces)
        for begin in range(0, len(head), size):
            connection.sendall(head[begin : begin + size])
            time.sleep(0.01)
        statuses.append(connection.recv(65_536).split()[1])

    assert statuses == [b"200", b"431"]


def test_answer_that_takes_longer_than_a_head_may_is_whole(hasty: int, connect: Connect):
    # With the beginning of a next request, which waits for its turn.
    connection = connect(hasty, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n" + GET)

    came = until_closed(connection)

    assert came.count(b"event") == EVENTS
    assert came.count(b"HTTP/1.1 200 OK") == 1


def test_body_that_takes_longer_than_a_head_may_arrives(hasty: int, connect: Connect):
    connection = connect(hasty, POST)
    for _ in range(EVENTS):
        connection.sendall(b"5\r\nabcde\r\n")
        time.sleep(LATE_S / 2)
    connection.sendall(b"0\r\n\r\n")

    assert connection.recv(65_536).endswith(str(5 * EVENTS).encode())


def test_calls_that_come_at_once_with_a_long_body_are_answered_in_turn(
    short: int, connect: Connect
):
    body = b"x" * (100 * LONGEST)
    head = b"POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
    last = b"GET /plain HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"

    came = until_closed(connect(short, (head + body) * 2 + last))

    assert came.count(str(len(body)).encode()) == 2
    assert came.endswith(b"here")
