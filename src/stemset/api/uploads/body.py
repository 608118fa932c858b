"""Bodies of requests as they come, from clients that may be slow, gone or not meaning to end."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from stemset.errors import UploadMismatch, UploadStalled


@dataclass(frozen=True, slots=True)
class Pace:
    """The least that a client must send.

    Attributes:
        silence_s: Longest time without a byte.
        window_s: Time of waiting for the client after which what came is looked at.
        window_bytes: The least that must have come within it.
    """

    silence_s: float = 30.0
    window_s: float = 60.0
    window_bytes: int = 16_000


def announced_length(request: Request) -> int | None:
    """The body's length as the client announces it, None if it does not."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


async def blocks(request: Request, pace: Pace) -> AsyncIterator[bytes]:
    """The body, block by block as the network gives it.

    Only the time that is spent waiting for the client counts against its pace.

    Raises:
        UploadStalled: The client is silent, or next to it.
        ClientDisconnect: It is gone.
    """
    waited_s, came = 0.0, 0
    while True:
        began_s = time.monotonic()
        message = await _next(request, pace)
        waited_s += time.monotonic() - began_s
        block = message.get("body", b"")
        came += len(block)
        if block:
            yield block
        if not message.get("more_body", False):
            return
        if waited_s >= pace.window_s:
            if came < pace.window_bytes:
                raise UploadStalled(
                    f"Only {came:,} bytes came within {waited_s:.0f} s; "
                    f"at least {pace.window_bytes:,} must."
                )
            waited_s, came = 0.0, 0


async def _next(request: Request, pace: Pace) -> Message:
    try:
        async with asyncio.timeout(pace.silence_s):
            message = await request.receive()
    except TimeoutError:
        raise UploadStalled(f"Nothing came for {pace.silence_s:g} s.") from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


async def exactly(request: Request, pace: Pace, length: int) -> AsyncIterator[bytes]:
    """The body, which must have a length.

    Raises:
        UploadMismatch: It has another one; said as soon as it is known.
        UploadStalled, ClientDisconnect: As ``blocks``.
    """
    announced = announced_length(request)
    if announced is not None and announced != length:
        raise UploadMismatch(f"The part must have {length:,} bytes, not {announced:,}.")
    came = 0
    async for block in blocks(request, pace):
        came += len(block)
        if came > length:
            break
        yield block
    if came != length:
        more = "more than " if came > length else ""
        raise UploadMismatch(
            f"The part must have {length:,} bytes; {more}{min(came, length):,} came."
        )
