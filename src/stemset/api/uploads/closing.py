"""Routes that read a body block by block, and what becomes of the rest of one that is refused.

An answer that comes before the body's end closes the connection, so that the rest need not be
received. Were it closed at once, the system would tell the client of a broken connection while it
still sends, and many clients would never read the answer: so for a moment the rest is read and
dropped (as nginx's ``lingering_close``).
"""

import asyncio
from contextlib import suppress

from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

_LINGER_S = 2.0


class BodyRoute(APIRoute):
    """A route whose answer may come before the request's end."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        exchange = _Exchange(scope, receive, send)
        await super().handle(scope, exchange.receive, exchange.send)


class _Exchange:
    """A request and its answer; watches how far the one is when the other is sent."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._is_read = not has_body
        self._closes = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_read = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._is_read:
            self._closes = True
            MutableHeaders(scope=message)["connection"] = "close"
        elif self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while not self._is_read:
                    await self.receive()
