"""HTTP whose requests must begin in earnest: with a head that ends, soon and within a length.

Uvicorn bounds neither, and waits for ever for who sends a byte now and then. A body's time is for
the application to bound, which knows what it waits for. What is told here of each connection
decides which one makes room for another when there are too many (``connections``).
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from stemset.serving.connections import Connection, uncounted

HEAD_WITHIN_S = 20.0
"""Nothing that means well takes so long for a few hundred bytes."""

MAX_HEAD_BYTES = 64 * 1024
"""Other servers take 8 to 64 KiB; no browser sends as much."""


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's HTTP, with heads that are bounded.

    The time of the first head begins with the connection, that of a later one with its first byte;
    a connection on which nothing comes between two is closed by uvicorn. While an answer is under
    way, the next head has time; once it has ended, that time begins anew.

    Attributes:
        head_within_s: How long a head may take.
        max_head_bytes: How long it may be, and what frames a body between two pieces of it.
        connection: What it is counted by.
    """

    head_within_s = HEAD_WITHIN_S
    max_head_bytes = MAX_HEAD_BYTES

    connection: Connection = uncounted()
    _is_in_head = True
    _unheard_bytes = 0  # that came since the last head or piece of a body
    _head_timer: asyncio.TimerHandle | None = None

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin a connection."""
        super().connection_made(transport)
        self.connection.is_ended_by(transport.abort)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End it."""
        self._end_head()
        self.connection.has_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; of a head no more than it may be long."""
        if self._is_in_head and self._head_timer is None:
            self._begin_head()
        room = max(0, self.max_head_bytes - self._unheard_bytes)
        now = room if self._is_in_head else len(data)
        self._feed(data[:now])
        if self._unheard_bytes >= self.max_head_bytes:
            self._refuse(431, "The head is too long.")
        else:
            self._feed(data[now:])

    def on_headers_complete(self) -> None:
        """Begin a call: its head is here."""
        self.connection.is_at_work()
        self._end_head()
        self._is_in_head = False
        self._unheard_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._unheard_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body has ended; what comes next is another head."""
        self._is_in_head = True
        self._unheard_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer has ended; the next head may have begun."""
        super().on_response_complete()
        if not self._is_answering:
            self.connection.is_idle()
        if self._is_in_head and self._unheard_bytes:
            self._end_head()
            self._begin_head()

    def pause_writing(self) -> None:
        """Wait with the answer: its client does not take what there is of it."""
        super().pause_writing()
        self.connection.is_stuck()

    def resume_writing(self) -> None:
        """Go on with it."""
        super().resume_writing()
        if self._is_answering:
            self.connection.is_at_work()

    def _feed(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self._unheard_bytes += len(data)
            super().data_received(data)

    def _begin_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_within_s, self._on_head_late)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_head_late(self) -> None:
        if self._is_answering:
            self._head_timer = None
        elif self._unheard_bytes:
            self._refuse(408, "The head did not arrive in time.")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        if self.transport.is_closing():
            return
        if not self._is_answering:
            head = (
                STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n" % len(detail)
            )
            self.transport.write(head + detail.encode())
        self.transport.close()
