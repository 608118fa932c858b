"""The service's HTTP side and coordination, put together.

Its libraries take a while to import; the process imports this module while its database starts.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

import uvicorn

from stemset.api.abortable import AbortableHttp
from stemset.api.app import main_door, make_inside, phones_door
from stemset.api.housekeeping import chores_of
from stemset.api.pairing import Pairing
from stemset.api.service import Service
from stemset.api.streams import Streams
from stemset.config import Settings
from stemset.dispatch.connection import Connection, links_to
from stemset.dispatch.threads import Threads
from stemset.http_rules import is_loopback
from stemset.jobs import members, tokens
from stemset.jobs.computing import local_runner
from stemset.jobs.coordination import Coordination
from stemset.jobs.database import Database
from stemset.jobs.job import Queue
from stemset.jobs.listening import Listening
from stemset.jobs.task import Workshop
from stemset.orders.local import LocalRunner
from stemset.orders.remote import RemoteRunner
from stemset.serving.server import BoundedServer
from stemset.storage.service_store import service_store
from stemset.storage.store import open_store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from stemset.api.serve import Serving
    from stemset.serving.lan.door import LanDoor

_THREADS = 16
_CALLS_END_WITHIN_S = 2


class HttpSide:
    """The server, what it serves, and what is done for jobs."""

    def __init__(
        self, settings: Settings, serving: "Serving", conninfo: str, lan: "LanDoor | None"
    ) -> None:
        """Put it together; nothing runs yet."""
        self.database = Database(conninfo)
        self._store_settings = service_store(settings.store, settings.data)
        self._settings = settings
        self._threads = Threads(_THREADS)
        self._serving: set[asyncio.Task[None]] = set()
        self._local: LocalRunner | None = None
        service = Service(
            settings=settings,
            database=self.database,
            store=open_store(self._store_settings),
            store_settings=self._store_settings,
            threads=self._threads,
            scratch=settings.data / "scratch",
            is_open=is_loopback(serving.host) and settings.sign_in is None,
        )
        self._connections = self._connect(service, serving)
        self._listening = Listening(self.database)
        self._streams = Streams(service, self._listening)
        workshop = Workshop(
            database=self.database,
            threads=self._threads,
            connections=self._connections,
            max_duration_s=settings.max_duration_s,
            callback_url=self._callback_url,
            rates=service.rates,
            monthly_caps=settings.monthly_caps,
        )
        self._coordination = Coordination(workshop, self._listening, chores=chores_of(service))
        self.pairing = Pairing(lan.url, lan.certified.authority) if lan else None
        inside = make_inside(service, self._streams, self.pairing)
        self._server = _server(main_door(inside, service))
        self._phones: tuple[BoundedServer, socket.socket] | None = None
        if lan is not None:
            app = phones_door(inside, lan.names)
            self._phones = _server(app, lan.certified.tls), lan.listener

    async def has_tokens(self) -> bool:
        """Whether anybody has a token."""
        async with self.database.reading() as connection:
            return await tokens.exist(connection)

    async def count_members(self) -> int:
        """How many may sign in, those that the configuration names among them."""
        sign_in = self._settings.sign_in
        async with self.database.transaction() as connection:
            await members.agree_with_config(connection, sign_in.admins if sign_in else ())
            return len(await members.list_members(connection))

    async def run(self, listener: socket.socket, *, alone: bool) -> None:
        """Serve, and get jobs done, until cancelled."""
        await self._listening.begin()
        if (local := self._local) is not None:
            await local.start()
        async with asyncio.TaskGroup() as group:
            for server, at in self._listeners(listener):
                self._serving.add(group.create_task(server.serve([at])))
            group.create_task(self._listening.run())
            group.create_task(self._streams.run())
            group.create_task(self._coordination.run(alone=alone))

    async def stop(self) -> None:
        """Take no more calls; what is under way gets a moment."""
        self._streams.close()
        self._server.should_exit = True
        if self._phones is not None:
            self._phones[0].should_exit = True
        if self._serving:
            await asyncio.wait(self._serving, timeout=2 * _CALLS_END_WITHIN_S)

    async def close(self) -> None:
        """Let go of everything, once ``run`` has ended."""
        for connection in self._connections.values():
            await connection.runner.close()
        self._threads.close(0)
        await self.database.close()

    def _connect(self, service: Service, serving: "Serving") -> Mapping[Queue, Connection]:
        """Bucket and runner of each queue that this process works off."""
        settings = self._settings
        connections: dict[Queue, Connection] = {}
        if settings.worker_url is not None:
            connections[Queue.WORKER] = Connection(
                service.store,
                RemoteRunner(
                    settings.worker_url,
                    settings.worker_secrets,
                    patience_s=settings.worker_patience_s,
                ),
                links=(
                    links_to(self._store_settings, settings.link_expires_s)
                    if settings.worker_links
                    else None
                ),
            )
        if serving.computes:
            self._local = local_runner(
                self._store_settings,
                max_duration_s=settings.max_duration_s,
                stall_s=settings.stall_s,
                allow_licences=settings.allow_licences,
                scratch=service.scratch / "computing",
            )
            connections[Queue.LOCAL] = Connection(service.store, self._local)
        return connections

    def _listeners(self, main: socket.socket) -> "list[tuple[BoundedServer, socket.socket]]":
        return [(self._server, main), *([self._phones] if self._phones else [])]

    def _callback_url(self, job_id: str) -> str | None:
        base = self._settings.backend_url
        return base and f"{base.rstrip('/')}/api/jobs/{job_id}/callback"


def _server(app: "ASGIApp", tls: ssl.SSLContext | None = None) -> "BoundedServer":
    return BoundedServer(
        uvicorn.Config(
            app,
            http=AbortableHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_CALLS_END_WITHIN_S,
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
    )
