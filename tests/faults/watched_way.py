"""A way from an address of this machine to a port of loopback, with a trap on it.

It looks at the calls (HTTP/1.1) that take the way, and has something done in the very moment in
which so many bytes of one have passed.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_METHODS = (b"GET ", b"HEAD ", b"PUT ", b"POST ", b"DELETE ")
_READ_BYTES = 65_536
_ON_THE_WAY_BYTES = 32_768
"""What the system may keep in between: what was not passed on is still with its sender, and what
was has nearly arrived."""


_SENT_WITHIN_S = 2.0


@dataclass
class Trap:
    """Something that is done once.

    Attributes:
        method: Method of the call.
        match: A part of its path.
        sent: How many bytes must have come from the caller.
        answered: How many must have gone back to it.
        spring: What is done then; nothing passes meanwhile.
    """

    method: str
    match: str
    spring: Callable[[], None]
    sent: int = 0
    answered: int = 0

    def holds(self, call: "_Call") -> bool:
        """Whether a call is as far."""
        return (
            call.line.startswith(f"{self.method} ".encode())
            and self.match.encode() in call.line
            and call.sent >= self.sent
            and call.answered >= self.answered
        )


@dataclass
class _Call:
    line: bytes = b""
    sent: int = 0
    answered: int = 0


class WatchedWay:
    """Passes connections on.

    Attributes:
        trap: What is done next, None for nothing.
        answered_bytes: How many bytes went back.
    """

    def __init__(self, listener: socket.socket, to: int, tls: ssl.SSLContext | None) -> None:
        """Set up; nothing is taken yet."""
        self.trap: Trap | None = None
        self.answered_bytes = 0
        self._listener = listener
        self._to = to
        self._tls = tls
        self._stopped = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, by which the caller must have come."""
        host, port = self._listener.getsockname()[:2]
        return f"http{'s' if self._tls else ''}://{host}:{port}"

    def run(self) -> None:
        """Take connections until it is told to stop."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        """Break all connections, and take no more."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, sock=self._listener, ssl=self._tls)
        await self._stopped.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError):
                await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            await _end(writer)
            self._open.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", self._to)
        call = _Call()
        ways = [
            asyncio.create_task(self._pump(reader, onward, call, back=False)),
            asyncio.create_task(self._pump(there, writer, call, back=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _end(onward)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, call: _Call, *, back: bool
    ) -> None:
        while block := await source.read(_READ_BYTES):
            sink.write(block)
            await sink.drain()
            if back:
                self.answered_bytes += len(block)
                call.answered += len(block)
            else:
                if block.startswith(_METHODS):
                    call.line, call.sent, call.answered = block.partition(b"\r\n")[0], 0, 0
                call.sent += len(block)
            if self.trap is not None and self.trap.holds(call):
                trap, self.trap = self.trap, None
                trap.spring()


async def _end(writer: asyncio.StreamWriter) -> None:
    """Send what is left, if it can be sent at once, and let the connection go."""
    writer.close()
    with suppress(OSError):
        try:
            async with asyncio.timeout(_SENT_WITHIN_S):
                await writer.wait_closed()
        finally:
            writer.transport.abort()


@contextmanager
def watched_way(address: str, to: int, tls: ssl.SSLContext | None = None) -> Iterator[WatchedWay]:
    """Open a way, on a free port of an address; with a context, by TLS."""
    listener = socket.socket()
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        listener.setsockopt(socket.SOL_SOCKET, buffer, _ON_THE_WAY_BYTES)
    listener.bind((address, 0))
    listener.listen()
    way = WatchedWay(listener, to, tls)
    thread = threading.Thread(target=way.run)
    thread.start()
    try:
        yield way
    finally:
        way.stop()
        thread.join()
