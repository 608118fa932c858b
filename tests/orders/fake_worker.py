"""A web server that answers as a test says, byte for byte, and a proxy that cuts connections."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from stemset.orders.messages import Report

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Call:
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class Reply:
    """What goes out."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(
        self, status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        body = body.encode() if isinstance(body, str) else body
        facts = {"content-length": str(len(body)), **(headers or {})}
        await self._head(status, facts)
        await self._write(body)

    async def json(
        self, status: int, body: object, headers: Mapping[str, str] | None = None
    ) -> None:
        kind = {"content-type": "application/json"}
        await self.send(status, json.dumps(body), {**kind, **(headers or {})})

    async def error(self, status: int, code: str, detail: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.json(status, {"error": {"code": code, "detail": detail}}, named)

    async def begin_stream(self, kind: str = "application/x-ndjson") -> None:
        await self._head(200, {"transfer-encoding": "chunked", "content-type": kind})

    async def part(self, data: bytes) -> None:
        await self._write(b"%x\r\n%b\r\n" % (len(data), data))

    async def reports(self, *reports: Report) -> None:
        for report in reports:
            await self.part(report.line())

    async def end_stream(self) -> None:
        await self._write(b"0\r\n\r\n")

    async def stream(self, *reports: Report) -> None:
        """A whole stream."""
        await self.begin_stream()
        await self.reports(*reports)
        await self.end_stream()

    def cut(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def silence(self) -> None:
        """Say nothing, for as long as the other side stays."""
        await self._writer.wait_closed()

    async def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {text}" for name, text in headers.items())]
        await self._write("\r\n".join([*lines, "", ""]).encode())

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


Answer = Callable[[Call, Reply], Awaitable[None]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """A listening port; its connections end with it."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Listen, at the port of before if there was one."""
        self._server = await asyncio.start_server(self._begin, LOOPBACK, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


class FakeWorker:
    """Answers ``GET /readyz`` with 200 unless told otherwise, and other calls from a list.

    Each call takes the next answer of its kind; the last one stays.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ready: list[Answer] = [is_ready]
        self.process: list[Answer] = []
        self.links: list[Answer] = [is_taken]
        self.delete: list[Answer] = [is_taken]
        self._listener = Listener(self._serve)
        self.start = self._listener.start
        self.stop = self._listener.stop

    @property
    def url(self) -> str:
        return self._listener.url

    def lines(self, method: str) -> list[str]:
        return [call.line for call in self.calls if call.method == method]

    @property
    def orders(self) -> list[Call]:
        return [call for call in self.calls if call.line == "POST /process"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            call = await _read(reader)
            self.calls.append(call)
            await self._next(call)(call, Reply(writer))

    def _next(self, call: Call) -> Answer:
        path = call.path
        if path.endswith("/readyz"):
            answers = self.ready
        elif call.method == "DELETE":
            answers = self.delete
        else:
            answers = self.links if path.endswith("/links") else self.process
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    pairs = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): text for name, _, text in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, body)


async def is_ready(_call: Call, reply: Reply) -> None:
    await reply.json(200, {"status": "ready"})


async def is_taken(_call: Call, reply: Reply) -> None:
    await reply.json(200, {"status": "taken"})


def status(code: int, body: str = "", **headers: str) -> Answer:
    """An answer with this status."""

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.send(code, body, {name.replace("_", "-"): v for name, v in headers.items()})

    return answer


def says(*reports: Report) -> Answer:
    """A whole stream."""

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.stream(*reports)

    return answer


def says_and_breaks(*reports: Report) -> Answer:
    """A stream that is cut after these reports."""

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        await reply.reports(*reports)
        reply.cut()

    return answer


async def breaks(_call: Call, reply: Reply) -> None:
    """No answer: the connection is cut."""
    reply.cut()


async def is_silent(_call: Call, reply: Reply) -> None:
    """No answer, and the connection stays."""
    await reply.silence()


def error(code: int, name: str, detail: str, **headers: str) -> Answer:
    """An answer in the worker's own form."""

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.error(code, name, detail, **headers)

    return answer


class CuttingProxy:
    """Passes bytes on, and cuts each connection after so many from the server."""

    def __init__(self, target: str, cut_after: list[int]) -> None:
        """The n-th connection is cut after the n-th number of bytes, later ones never."""
        self._port = int(target.rpartition(":")[2])
        self._cut_after = cut_after
        self._listener = Listener(self._serve)
        self.start = self._listener.start
        self.stop = self._listener.stop

    @property
    def url(self) -> str:
        return self._listener.url

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self._cut_after.pop(0) if self._cut_after else None
        back, forth = await asyncio.open_connection(LOOPBACK, self._port)
        there = asyncio.create_task(_pass_on(reader, forth))
        try:
            while data := await back.read(4096 if left is None else min(left, 4096)):
                writer.write(data)
                await writer.drain()
                if left is not None:
                    left -= len(data)
        finally:
            there.cancel()
            forth.transport.abort()
            await asyncio.gather(there, forth.wait_closed(), return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
