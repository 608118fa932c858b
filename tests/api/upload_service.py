"""A service that takes uploads, behind a real socket, and clients that behave badly."""

import asyncio
import io
import socket
import threading
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx
import uvicorn
from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api._observed import Observed
from stemset.api._rates import Rates
from stemset.api.access import caller_of
from stemset.api.app import make_routes
from stemset.api.limits import Limits
from stemset.api.service import Service
from stemset.api.uploads.body import Pace
from stemset.api.uploads.desk import Desk
from stemset.config import Settings, load_settings
from stemset.dispatch.threads import Threads
from stemset.jobs import tables
from stemset.jobs.caller import Caller, Scope
from stemset.jobs.database import Database
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

Result = TypeVar("Result")

WAIT_S = 20.0
BOUNDARY = "----geckoformboundary5c3"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
_CONFIG = """
profiles:
  - {name: h4n, source_folder: h4n}
  - {name: other, source_folder: other}
"""


@dataclass
class UploadService:
    """A running service.

    Attributes:
        url: Its address.
        service: What it has.
        bucket: Folder of its store, if that is one.
    """

    url: str
    service: Service
    bucket: Path
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    @property
    def spools(self) -> list[str]:
        return sorted(path.name for path in (self.service.scratch / "uploads").glob("*"))

    def await_spools(self, *, some: bool) -> None:
        """Wait until something, or nothing, is there of what a client sends."""
        until = time.monotonic() + WAIT_S
        while bool(self.spools) != some:
            assert time.monotonic() < until, self.spools
            time.sleep(0.01)

    def stored(self) -> dict[str, bytes]:
        """Recordings in the folder that is the store, by key."""
        return {
            str(path.relative_to(self.bucket)): path.read_bytes()
            for path in self.bucket.glob("inputs/*/*")
        }

    def run(self, made: Callable[[], Awaitable[Result]]) -> Result:
        """Run something in the service's event loop."""

        async def awaited() -> Result:
            return await made()

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(WAIT_S)

    def in_ledger(self, look: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        async def scenario() -> Result:
            async with self.service.database.transaction() as connection:
                return await look(connection)

        return self.run(scenario)

    def count(self, table: str) -> int:
        async def rows(connection: AsyncConnection) -> int:
            query = select(tables.metadata.tables[table])
            return len((await connection.execute(query)).all())

        return self.in_ledger(rows)

    def client(self, caller: str = "me", profiles: str = "") -> httpx.Client:
        headers = {"x-test-caller": caller, "x-test-profiles": profiles}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT_S)

    def raw(self, head: str, *pieces: bytes) -> "RawClient":
        """Begin a call by hand: its first line and headers, then pieces of its body."""
        raw = RawClient(self.port)
        raw.send(f"{head}\r\nhost: 127.0.0.1\r\n\r\n".encode(), *pieces)
        return raw


class RawClient:
    """One connection, used by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self) -> tuple[int, bytes]:
        """The answer's status and all that comes until the service closes the connection."""
        came = b""
        with self.socket:
            while piece := self.socket.recv(65_536):
                came += piece
        return int(came.split(b" ", 2)[1]), came

    def drop(self) -> None:
        self.socket.close()


def settings_for(folder: Path, **changes: object) -> Settings:
    file = folder / "config.yaml"
    file.write_text(_CONFIG)
    return replace(load_settings(file, {}), **changes)  # pyright: ignore[reportArgumentType]


@contextmanager
def running_uploads(
    conninfo: str,
    folder: Path,
    *,
    pace: Pace | None = None,
    scratch: Path | None = None,
    store: StoreSettings | None = None,
    **changes: object,
) -> Iterator[UploadService]:
    """Run a service; a second one on the same folder is the first one restarted."""
    bucket = folder / "bucket"
    bucket.mkdir(exist_ok=True)
    store_settings = store or StoreSettings("folder", str(bucket))
    service = Service(
        settings=settings_for(folder, **changes),
        database=Database(conninfo),
        store=open_store(store_settings),
        store_settings=store_settings,
        threads=Threads(),
        scratch=scratch or folder / "scratch",
        is_open=True,
    )
    with _serving(service, pace) as (port, loop):
        yield UploadService(f"http://127.0.0.1:{port}", service, bucket, loop)
    service.threads.close(WAIT_S)


@contextmanager
def _serving(
    service: Service, pace: Pace | None
) -> Iterator[tuple[int, asyncio.AbstractEventLoop]]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    app = make_routes()
    app.state.service = service
    app.state.rates = Rates(service.settings.calls_per_s)
    app.dependency_overrides[caller_of] = _caller_named_in_headers
    config = uvicorn.Config(Observed(Limits(app)), lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    loop: Future[asyncio.AbstractEventLoop] = Future()

    async def serve() -> None:
        app.state.uploads = Desk(service, pace)
        loop.set_result(asyncio.get_running_loop())
        await server.serve([listening])
        await service.database.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield listening.getsockname()[1], loop.result(WAIT_S)
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        listening.close()
    assert not thread.is_alive()


async def _caller_named_in_headers(request: Request) -> Caller:
    name = request.headers.get("x-test-caller") or "me"
    profiles = request.headers.get("x-test-profiles")
    return Caller(name, name, Scope.WRITE, frozenset(profiles.split(",")) if profiles else None)


def recording(seconds: float = 0.5, seed: int = 0, rate_hz: int = 8000) -> bytes:
    """A small WAV file, another for each seed."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(bytes([seed % 256, seed // 256]) * int(seconds * rate_hz))
    return file.getvalue()


def form(
    data: bytes, filename: str = "take.wav", *, before: str | None = None, after: str | None = None
) -> bytes:
    """A form as a browser sends it."""
    escaped = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return b"".join(
        (
            _field(before),
            f"--{BOUNDARY}\r\n".encode(),
            f'Content-Disposition: form-data; name="file"; filename="{escaped}"\r\n'.encode(),
            b"Content-Type: audio/wav\r\n\r\n",
            data,
            b"\r\n",
            _field(after),
            f"--{BOUNDARY}--\r\n".encode(),
        )
    )


def _field(profile: str | None) -> bytes:
    if profile is None:
        return b""
    disposition = 'Content-Disposition: form-data; name="profile_name"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n{profile}\r\n".encode()


def upload(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/api/upload", content=body, headers={"content-type": FORM})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
