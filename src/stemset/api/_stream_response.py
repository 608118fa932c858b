"""The answer that a client's stream is sent as."""

import asyncio
from collections.abc import Callable

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from stemset.api._client_stream import RETRY_MS, ClientStream
from stemset.api.streams import Follower, Streams
from stemset.jobs.caller import Caller

STALLED_S = 30.0
"""A client that takes nothing for so long is let go; it can resume."""

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_GONE_WITHIN_S = 1.0
_PIECE_BYTES = 16 * 1024  # what a slow client must take within STALLED_S


class StreamResponse(StreamingResponse):
    """Sends a client's stream for as long as the client takes it.

    FastAPI's own answer for events neither ends one that is not taken nor notices that it is to
    end; what it writes is written by its function here.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        caller: Caller,
        begin: Callable[[Follower], ClientStream],
        abort: Callable[[], None] | None,
    ) -> None:
        """Make it; nothing is followed before it is sent.

        Args:
            streams: The streams that it is one of.
            caller: The client.
            begin: Begins the client's stream.
            abort: Ends the client's connection at once, if the server gives that.
        """
        super().__init__((), headers=_HEADERS)
        self._streams = streams
        self._caller = caller
        self._begin = begin
        self._abort = abort

    async def stream_response(self, send: Send) -> None:
        """Send it, to the end."""
        with self._streams.follow(self._caller) as follower:
            try:
                await self._send(follower, send)
            except TimeoutError:
                if self._abort is not None:
                    # Closing would wait for the client to take what it does not take.
                    self._abort()
                    await asyncio.sleep(
                        _GONE_WITHIN_S
                    )  # ended by the server's word that it is gone

    async def _send(self, follower: Follower, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        message: bytes | None = format_sse_event(retry=RETRY_MS)
        stream = self._begin(follower)
        while message is not None:
            for begin in range(0, len(message), _PIECE_BYTES):
                async with follower.sending(STALLED_S):
                    await send(_body(message[begin : begin + _PIECE_BYTES]))
            message = await stream.next()
        async with follower.sending(_GONE_WITHIN_S):
            await send(_body(b"", is_last=True))


def _body(message: bytes, *, is_last: bool = False) -> Message:
    return {"type": "http.response.body", "body": message, "more_body": not is_last}
