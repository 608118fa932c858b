"""Load on an HTTP server, made by as little Python as can be: a client library costs more time per
request than the server does.

HTTP/1.1 over kept connections, one request at a time on each. Answers must have a length.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from upload_forms import Form


@dataclass(frozen=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body; an answer that is a refusal ends the program."""
        if self.status >= 400:  # noqa: PLR2004 - where refusals begin
            raise SystemExit(f"{self.status}: {self.body.decode(errors='replace')}")
        return json.loads(self.body)


class Connection:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, path: str) -> Answer:
        """Get something."""
        return await self.send(request("GET", path))

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Post JSON."""
        data = json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": len(data)}
        return await self.send(request("POST", path, headers) + data)

    async def send(self, whole: bytes) -> Answer:
        """Send a request as it is."""
        self._writer.write(whole)
        return await self._answer()

    async def upload(self, path: str, form: Form) -> Answer:
        """Post a form, block by block."""
        self._writer.write(request("POST", path, form.headers))
        for block in form.blocks():
            self._writer.write(block)
            await self._writer.drain()
        return await self._answer()

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return Answer(int(head[9:12]), await self._reader.readexactly(length))


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection to a port of loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def request(method: str, path: str, headers: Mapping[str, object] | None = None) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def timed(calls: Sequence[Callable[[], Awaitable[Answer]]]) -> list[float]:
    """Make calls one after another. Returns how long each took, in seconds."""
    took = []
    for call in calls:
        begun = time.perf_counter()
        _ = (await call()).json
        took.append(time.perf_counter() - begun)
    return took


async def per_second(port: int, paths: Sequence[str], *, connections: int, for_s: float) -> float:
    """Get paths over some connections, without a pause. Returns answers per second."""
    requests = [request("GET", path) for path in paths]
    end = time.perf_counter() + for_s

    async def one(number: int) -> int:
        count = 0
        async with connected(port) as connection:
            while time.perf_counter() < end:
                answer = await connection.send(requests[(number + count) % len(requests)])
                if answer.status != 200:  # noqa: PLR2004 - OK
                    raise SystemExit(answer.body.decode(errors="replace"))
                count += 1
        return count

    begun = time.perf_counter()
    counts = await asyncio.gather(*(one(number * 7) for number in range(connections)))
    return sum(counts) / (time.perf_counter() - begun)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
