"""Every call has an id, in its answer and in all log lines, and is counted.

The id is the one that the client or a proxy gave (``X-Request-ID``, or the trace of a
``traceparent``), else a new one. A job keeps that of the call that it came by.
"""

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stemset.api import metrics
from stemset.telemetry import bind

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Source: W3C Trace Context, version 00; a trace of zeros is none.
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Stands before an application."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on; the id that it came with is kept."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(Headers(scope=scope)) or uuid.uuid4().hex
        begun = time.monotonic()

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers.setdefault("x-content-type-options", "nosniff")
                _count(scope, message["status"], time.monotonic() - begun)
            await send(message)

        with bind(request_id=request_id, method=scope["method"], path=scope["path"]):
            await self._app(scope, receive, answered)


def _given_id(headers: Headers) -> str | None:
    """The id that a call came with, None if it has none that is fit for a log."""
    given = headers.get("x-request-id", "")
    if _ID.fullmatch(given):
        return given
    traced = _TRACE.fullmatch(headers.get("traceparent", ""))
    return traced[1] if traced else None


def _count(scope: Scope, status: int, took_s: float) -> None:
    """Count by the route's pattern: paths hold ids, of which there is no end."""
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.REQUESTS.labels(method, route, str(status)).inc()
    metrics.LATENCY_S.labels(method, route).observe(took_s)
