"""Only calls for this machine under a name that is known to be its own."""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class HostNamesOnly:
    """Refuses a call whose ``Host`` is none of the names that are known, whatever the port.

    A web page can have its own name point at this machine and then call here as if it called home.
    """

    def __init__(
        self, app: ASGIApp, is_known: Callable[[str], bool], refusal: Callable[[str], ASGIApp]
    ) -> None:
        """Stand before an application.

        Args:
            app: The application.
            is_known: Whether a name or address, without its port, is this machine's.
            refusal: Makes the answer to a call to the host that is given.
        """
        self._app = app
        self._is_known = is_known
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or refuse it."""
        app = self._app
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if not self._is_known(_name(host)):
                app = self._refusal(host)
        await app(scope, receive, send)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
