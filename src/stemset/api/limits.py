"""How much may come in, for how long, and of what: checked before a route sees a call.

A body is read whole, at most 1 MiB within 30 s, and JSON is checked to the letter. Two kinds of
routes get their body untouched: uploads, which set limits of their own while they stream it, and
signed ones, whose bytes are judged by their signature first.
"""

import asyncio
import re
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stemset.api._strict_json import NotJson, check_json
from stemset.api.errors import http_refusal

MAX_BODY_BYTES = 1 << 20
BODY_WITHIN_S = 30.0

_STREAMED = re.compile(r"POST /api/upload|PUT /api/uploads/[^/]+/parts/[^/]+")
_SIGNED = re.compile(r"POST /api/jobs/[^/]+/callback")
_DRAINED_BYTES = 16 * MAX_BODY_BYTES
_CLOSE = {"connection": "close"}


class Limits:
    """Stands before an application."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES, within_s: float = BODY_WITHIN_S
    ) -> None:
        """Stand before an application.

        Args:
            app: The application.
            max_bytes: The longest body.
            within_s: How long a body may take to arrive.
        """
        self._app = app
        self._max_bytes = max_bytes
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, with its body read, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app = self._app
        if b"\0" in unquote_to_bytes(scope["query_string"]) or "\0" in scope["path"]:
            app = http_refusal(422, "The URL holds a NUL.")
        elif _has_body(scope) and not _STREAMED.fullmatch(_route(scope)):
            try:
                receive = await self._read(scope, receive)
            except _Refused as refused:
                app = http_refusal(*refused.args)
            except ClientDisconnect:
                return  # nobody waits for an answer
        await app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """Read a body; gives what gives it again."""
        try:
            async with asyncio.timeout(self._within_s):
                body = await self._read_limited(Request(scope, receive))
        except TimeoutError:
            detail = f"The body did not arrive within {self._within_s:g} s."
            raise _Refused(408, detail, _CLOSE) from None
        if _is_json(scope) and not _SIGNED.fullmatch(_route(scope)):
            try:
                check_json(body)
            except NotJson as error:
                raise _Refused(422, str(error)) from error
        return _replay(body, receive)

    async def _read_limited(self, request: Request) -> bytes:
        """Read up to the limit; somewhat more is read and dropped, so that the answer arrives."""
        body = bytearray()
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self._max_bytes:
                body += part
            elif size > _DRAINED_BYTES:
                break
        if size > self._max_bytes:
            detail = f"The body is longer than {self._max_bytes} bytes."
            raise _Refused(413, detail, _CLOSE if size > _DRAINED_BYTES else None)
        return bytes(body)


class _Refused(Exception):
    """Holds the arguments of the answer."""


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()  # waits for the client to go away
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _route(scope: Scope) -> str:
    return f"{scope['method']} {scope['path']}"


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_json(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return re.fullmatch(r"application/(?:.+\+)?json", kind) is not None
