"""Pages of other origins cannot change anything here, whoever's browser they are open in.

A browser says on every call that can change something which page makes it, and no page can make it
say otherwise. This holds on open loopback as well, where a call needs no token: any page on the web
can post to 127.0.0.1. What is no browser sends neither header.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from stemset.api._answers import answer
from stemset.errors import OriginRefused

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN = frozenset({"cross-site", "same-site"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class OwnOriginOnly:
    """Refuses what a page of another origin asks for, if it could change something."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        """Stand before an application.

        Args:
            app: The application.
            public_url: Where pages find this service if not under the name that arrives in
                ``Host``: behind a proxy that changes it.
        """
        self._app = app
        self._public = _host_of(public_url) if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or refuse it."""
        app = self._app
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            headers = Headers(scope=scope)
            if not self._is_own(headers):
                page = headers.get("origin", "another site")
                app = answer(OriginRefused(f"A page of {page!r} may change nothing here."))
        await app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "").lower() in _FOREIGN:
            return False
        origins = headers.getlist("origin")
        if not origins:
            return True
        page = _host_of(origins[0]) if len(origins) == 1 else None
        return page is not None and page in {self._own(headers, page), self._public}

    def _own(self, headers: Headers, page: tuple[str, int]) -> tuple[str, int] | None:
        """The host that was called; behind a proxy only the page knows whether by TLS."""
        name = headers.get("host", "")
        by = {_host_of(f"{scheme}://{name}") for scheme in _DEFAULT_PORTS}
        return page if page in by else None


def _host_of(url: str) -> tuple[str, int] | None:
    """A URL's host and port, None if it is no web address (``null`` is a page's without origin)."""
    try:
        parts = urlsplit(url)
        default = _DEFAULT_PORTS[parts.scheme]
        port = parts.port or default
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None
