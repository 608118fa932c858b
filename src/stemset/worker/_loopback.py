"""Without signatures only this machine may call, under its own name."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from stemset.errors import WorkerRefused
from stemset.orders.messages import Failure
from stemset.worker._urls import is_loopback
from stemset.worker.answers import refusal, status_of


class LoopbackNamesOnly:
    """Refuses a call whose ``Host`` is not a name of the loopback interface.

    A web page can have its own name point at 127.0.0.1 and then call there as if it called home.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or refuse it."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else "localhost"
        if is_loopback(_name(host)):
            await self._app(scope, receive, send)
            return
        error = WorkerRefused(f"This worker takes calls to loopback only, not to {host!r}.")
        await refusal(Failure.of(error), status_of(error))(scope, receive, send)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
