"""A listener for metrics alone, for a process that answers no other calls."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stemset.errors import SecretMissing
from stemset.http_rules import is_loopback
from stemset.metrics import CONTENT_TYPE, exposition, may_read
from stemset.serving.bounded_http import BoundedHttp
from stemset.serving.listening import listen_on, url_of
from stemset.serving.loopback import LoopbackNamesOnly
from stemset.serving.server import BoundedServer

_PATH = "/metrics"


class MetricsDoor:
    """Answers ``GET /metrics``, and nothing else."""

    def __init__(self, listener: socket.socket, token: str | None) -> None:
        """Answer at a socket.

        Args:
            listener: The socket.
            token: What metrics are read with; None for nothing, by this machine alone.
        """
        self._listener = listener
        self._server = BoundedServer(
            uvicorn.Config(
                _app(token),
                loop="asyncio",
                http=BoundedHttp,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
            )
        )

    @property
    def url(self) -> str:
        """Where metrics are read."""
        return f"{url_of(self._listener)}{_PATH}"

    async def serve(self) -> None:
        """Answer until cancelled."""
        await self._server.serve([self._listener])


@contextmanager
def opened_metrics_door(
    host: str, port: int | None, token: str | None
) -> Iterator[MetricsDoor | None]:
    """Open a listener for metrics.

    Args:
        host: Address to listen on.
        port: Port to listen on, 0 for any that is free; None opens none.
        token: What metrics are read with.

    Raises:
        SecretMissing: Other machines could read them, and need no token.
        AddressInUse: The port is taken.
        InvalidConfig: ``host`` is none of this machine's.
    """
    if port is None:
        yield None
        return
    if token is None and not is_loopback(host):
        raise SecretMissing(
            f"Metrics on {host} could be read by other machines: set STEMSET_METRICS_TOKEN to a "
            "token of at least 16 characters, which Prometheus then shows."
        )
    with listen_on(host, port, another_port="--metrics-port") as listener:
        yield MetricsDoor(listener, token)


def _app(token: str | None) -> ASGIApp:
    async def shown(request: Request) -> Response:
        if token is not None and not may_read(request.headers.get("authorization"), token):
            return PlainTextResponse(
                "Authorization: Bearer with the token of STEMSET_METRICS_TOKEN is needed.\n",
                401,
                {"www-authenticate": "Bearer"},
            )
        return Response(exposition(), media_type=CONTENT_TYPE)

    app = Starlette(routes=[Route(_PATH, shown)])
    return app if token is not None else LoopbackNamesOnly(app, _not_loopback)


def _not_loopback(host: str) -> ASGIApp:
    return PlainTextResponse(f"Metrics are for calls to loopback only, not to {host!r}.\n", 403)
