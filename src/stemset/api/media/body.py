"""Bodies that are read from the store while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import cast

from fastapi.responses import StreamingResponse
from starlette.types import Send

from stemset.dispatch.threads import Threads
from stemset.errors import StemsetError
from stemset.telemetry import get_logger

_log = get_logger("api")


class StoredBody(StreamingResponse):
    """An answer whose body comes from an iterator that blocks, one chunk at a time in a thread.

    While a client does not take what was read, nothing more is, and no thread waits for it. When it
    goes away, the iterator is closed. If the store fails in the middle, the connection is closed
    before its time, so that nobody takes what came for the whole.
    """

    def __init__(
        self,
        threads: Threads,
        chunks: Iterator[bytes],
        *,
        status_code: int = 200,
        headers: dict[str, str],
    ) -> None:
        """Answer with the chunks of an iterator.

        Args:
            threads: Threads for what blocks.
            chunks: The body; closed, if it can be, whatever happens.
            status_code: The answer's status.
            headers: Its headers, the content's type and length among them.
        """
        super().__init__(_in_threads(threads, chunks), status_code, headers)

    async def stream_response(self, send: Send) -> None:
        """Send the head and the chunks."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", self.body_iterator)) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except StemsetError as error:
            _log.error("Media broke off", code=error.code, detail=str(error))
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _in_threads(threads: Threads, chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    reading: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            reading = asyncio.ensure_future(threads.run(next, chunks, None))
            # A read that is under way when the client goes cannot be stopped, and must have ended
            # before the iterator can be closed.
            chunk = await asyncio.shield(reading)
            if chunk is None:
                return
            yield chunk
    finally:
        if reading is None or reading.done():
            _close(chunks)
        else:
            reading.add_done_callback(lambda done: (done.exception(), _close(chunks)))


def _close(chunks: Iterator[bytes]) -> None:
    if (close := getattr(chunks, "close", None)) is not None:
        close()
