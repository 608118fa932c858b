"""The real service behind a real socket, for tests of routes.

::

    with running_service(tmp_path, database_conninfo) as service:
        service.client.get("/api/profiles")
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.abortable import AbortableHttp
from stemset.api.app import make_app
from stemset.api.service import Service
from stemset.api.streams import Streams
from stemset.config import load_settings
from stemset.dispatch.threads import Threads
from stemset.jobs import tokens
from stemset.jobs.caller import Scope
from stemset.jobs.database import Database
from stemset.jobs.listening import Listening
from stemset.serving.listening import listen_on, url_of
from stemset.serving.server import BoundedServer
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

Result = TypeVar("Result")

WITHIN_S = 20.0
CONFIG = """
profiles:
  - {name: h4n, source_folder: h4n}
  - name: songs
    source_folder: songs
    strategy: drop-vocals
    remote: true
    output: {format: mp3, bitrate: 320}
strategies:
  drop-vocals: {_: spleeter-2stems, accompaniment: rest}
"""


@dataclass(frozen=True)
class RunningService:
    """A service that takes calls.

    Attributes:
        url: Its address.
        client: Calls it, as the local user.
        service: What its routes have.
        streams: Its streams of events.
        store_folder: Where its objects lie.
    """

    url: str
    client: httpx.Client
    service: Service
    streams: Streams
    store_folder: Path
    _loop: asyncio.AbstractEventLoop

    def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do something in the service's event loop, to which its database belongs."""

        async def awaited() -> Result:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(WITHIN_S)

    def in_transaction(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Do something in a transaction of its database."""

        async def committed() -> Result:
            async with self.service.database.transaction() as connection:
                return await work(connection)

        return self.run(committed)

    def make_token(self, scope: Scope, *profiles: str, name: str | None = None) -> str:
        """Make a token, limited to profiles if any are named. Returns its text."""
        named = name or f"{scope} {'-'.join(profiles)}".strip()
        _, text = self.in_transaction(
            lambda connection: tokens.create(connection, named, scope, profiles or None, None)
        )
        return text

    @contextmanager
    def caller(self, token: str) -> Iterator[httpx.Client]:
        """A client that holds a token."""
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=WITHIN_S) as client:
            yield client


@contextmanager
def running_service(
    tmp_path: Path,
    conninfo: str,
    *,
    is_open: bool = True,
    config: str = CONFIG,
    environ: Mapping[str, str] | None = None,
    environ_at: Callable[[str], Mapping[str, str]] = lambda _url: {},
    store_settings: StoreSettings | None = None,
) -> Iterator[RunningService]:
    """Run the service in a thread, on a free port of loopback.

    Args:
        tmp_path: Folder of the configuration, the store and the scratch.
        conninfo: A migrated database.
        is_open: Whether a call without a token is the local user's.
        config: ``config.yaml``.
        environ: The environment that settings come from.
        environ_at: What of it depends on the service's address.
        store_settings: The store, by default a folder.
    """
    file = tmp_path / "config.yaml"
    file.write_text(config)
    listener = listen_on("127.0.0.1", 0)
    bucket = store_settings or StoreSettings("folder", str(tmp_path / "store"))
    service = Service(
        settings=load_settings(file, {**(environ or {}), **environ_at(url_of(listener))}),
        database=Database(conninfo),
        store=open_store(bucket),
        store_settings=bucket,
        threads=Threads(),
        scratch=tmp_path / "scratch",
        is_open=is_open,
    )
    if bucket.kind == "folder":
        Path(bucket.bucket).mkdir(exist_ok=True)
    service.scratch.mkdir(exist_ok=True)
    thread = _Thread(service, listener)
    thread.start()
    try:
        thread.wait_up()
        with httpx.Client(base_url=thread.url, timeout=WITHIN_S) as client:
            yield RunningService(
                thread.url, client, service, thread.streams, Path(bucket.bucket), thread.loop
            )
    finally:
        thread.stop()


class _Thread(threading.Thread):
    """The service's thread, with an event loop of its own."""

    def __init__(self, service: Service, listener: socket.socket) -> None:
        super().__init__(name="service")
        self._service = service
        self._listener = listener
        self._listening = Listening(service.database)
        self._up = threading.Event()
        self._error: BaseException | None = None
        self.url = url_of(self._listener)
        self.streams = Streams(service, self._listening)
        self._server = _Server(
            uvicorn.Config(
                make_app(service, self.streams),
                http=AbortableHttp,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            ),
            self._up,
        )
        self.loop: Any = None

    def run(self) -> None:
        try:
            uvloop.run(self._run())
        except BaseException as error:  # noqa: BLE001 - raised again where the service is used
            self._error = error
        finally:
            self._up.set()

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        feeding: list[asyncio.Task[None]] = []
        try:
            await self._listening.begin()
            feeding = [asyncio.create_task(each.run()) for each in (self._listening, self.streams)]
            with self._listener:
                await self._server.serve([self._listener])
        finally:
            for task in feeding:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            self._service.threads.close(1)
            await self._service.database.close()

    def wait_up(self) -> None:
        assert self._up.wait(WITHIN_S), "the service does not start"
        self._raise()

    def stop(self) -> None:
        if self.loop is not None and self.is_alive():
            self.loop.call_soon_threadsafe(self.streams.close)
        self._server.should_exit = True
        self.join(WITHIN_S)
        assert not self.is_alive(), "the service does not stop"
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


class _Server(BoundedServer):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config, up: threading.Event) -> None:
        super().__init__(config)
        self._is_up = up

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self._is_up.set()
