"""Uvicorn's server, which takes its connections here, so that they are counted.

Asyncio's own listeners and uvloop's take all that come, and know no bound but that no descriptor is
left.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn

from stemset.serving.bounded_http import BoundedHttp
from stemset.serving.connections import Connection, Connections, connections_of_this_process
from stemset.telemetry import get_logger

_log = get_logger("serving")

_AT_ONCE = 100
_AGAIN_AFTER_S = 1.0
_NONE_LEFT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class BoundedServer(uvicorn.Server):
    """A server of ``BoundedHttp`` that leaves signals to the process.

    Uvicorn would raise them again when it has ended.
    """

    def __init__(self, config: uvicorn.Config, connections: Connections | None = None) -> None:
        """Set it up.

        Args:
            config: Whose ``http`` is a ``BoundedHttp``.
            connections: What its connections are counted by, None for those of this process.
        """
        super().__init__(config)
        self._connections = connections or connections_of_this_process()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections at sockets that listen."""
        await super().startup(sockets=[])
        intakes: list[Any] = [
            _Intake(each, self._protocol, self.config.ssl, self._connections)
            for each in sockets or ()
        ]
        self.servers = intakes

    def _protocol(self, connection: Connection) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: BoundedHttp = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        made.connection = connection
        return made


class _Intake:
    """Takes the connections of a socket; in uvicorn's place of asyncio's server."""

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[Connection], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        connections: Connections,
    ) -> None:
        """Begin."""
        self._listener = listener
        self._make = make
        self._tls = tls
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        listener.settimeout(0)
        self._open()

    def close(self) -> None:
        """Take no more."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""

    def _open(self) -> None:
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            if self._connections.are_too_many:
                return
            try:
                taken, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NONE_LEFT:
                    raise
                self._pause(error)
                return
            self._admit(taken)

    def _pause(self, error: OSError) -> None:
        _log.error("No connection can be accepted for a moment", detail=str(error))
        self._loop.remove_reader(self._listener)
        self._again = self._loop.call_later(_AGAIN_AFTER_S, self._open)

    def _admit(self, taken: socket.socket) -> None:
        if not self._connections.have_room():
            taken.close()
            return
        connection = Connection(self._connections, partial(_hang_up, taken))
        task = self._loop.create_task(self._connect(taken, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, taken: socket.socket, connection: Connection) -> None:
        try:
            await self._loop.connect_accepted_socket(
                partial(self._make, connection), taken, ssl=self._tls
            )
        except OSError:  # there is nobody to tell: encryption was not agreed on, or it has ended
            connection.has_ended()


def _hang_up(taken: socket.socket) -> None:
    """End a connection that no protocol has yet: whoever reads it sees its end."""
    with suppress(OSError):
        taken.shutdown(socket.SHUT_RDWR)
