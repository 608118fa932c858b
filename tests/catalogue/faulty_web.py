"""A web server on this machine that serves one file, and can be made to fail."""

import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BLOCK_BYTES = 32 << 10


@dataclass(frozen=True)
class Answer:
    """How a request is answered; by default as it should be.

    Attributes:
        status: Answered instead, with no file.
        headers: Sent as well, or instead.
        body: What the file holds at this moment.
        sent_bytes: How much of the body is sent before the connection is closed.
        hang_s: How long the connection is kept open in silence before that.
        length: What ``Content-Length`` says instead.
        is_chunked: Whether no length is said at all.
        ranges: Whether ranges are known.
        if_range: Whether ``If-Range`` is heeded.
        etag: The file's version at this moment.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    sent_bytes: int | None = None
    hang_s: float = 0
    length: int | None = None
    is_chunked: bool = False
    ranges: bool = True
    if_range: bool = True
    etag: str | None = None


@dataclass(frozen=True)
class Asked:
    """What a request said, None for what it did not say."""

    path: str
    host: str
    range: str | None
    if_range: str | None
    token: str | None
    at_s: float


@dataclass
class FaultyWeb:
    """What the server serves, and what it saw.

    Attributes:
        content: The file.
        etag: Its version, None to name none.
        modified: When it was changed, None to name no time.
        answers: How the next requests are answered, in order; all later ones as they should be.
        asked: The requests so far.
        port: Where it listens.
        tls: Its certificate, None for plain http.
    """

    content: bytes
    etag: str | None = '"1"'
    modified: str | None = None
    answers: deque[Answer] = field(default_factory=deque[Answer])
    asked: list[Asked] = field(default_factory=list[Asked])
    port: int = 0
    tls: ssl.SSLContext | None = None

    def start(self) -> None:
        """Listen, after a stop on the same port."""
        handler = type("Handler", (_Handler,), {"web": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close every connection and listen no more, as if the process were killed."""
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()

    def url(self, host: str = "127.0.0.1", path: str = "weights.th") -> str:
        """The file's address."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/{path}"

    @property
    def ranges(self) -> list[str | None]:
        """The ranges that were asked for, one for each request."""
        return [each.range for each in self.asked]


@contextmanager
def serve_web(content: bytes, tls: ssl.SSLContext | None = None) -> Iterator[FaultyWeb]:
    """Serve a file until the block ends."""
    web = FaultyWeb(content, tls=tls)
    web.start()
    try:
        yield web
    finally:
        web.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client may go away at any moment

    def drop_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # its other end was faster
                continue


class _Handler(BaseHTTPRequestHandler):
    web: FaultyWeb
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = self.headers.get
        self.web.asked.append(
            Asked(
                path=self.path,
                host=said("Host", ""),
                range=said("Range"),
                if_range=said("If-Range"),
                token=said("Authorization"),
                at_s=time.monotonic(),
            )
        )
        answer = self.web.answers.popleft() if self.web.answers else Answer()
        if answer.status is None:
            self._send_file(answer)
        else:
            self._send_headers(answer.status, {"Content-Length": "0"} | answer.headers)

    def _send_file(self, answer: Answer) -> None:
        body = self.web.content if answer.body is None else answer.body
        status, start, headers = self._placed(answer, len(body))
        sent = b"" if status == 416 else body[start:]
        headers["Content-Length"] = str(len(sent) if answer.length is None else answer.length)
        if answer.is_chunked:
            del headers["Content-Length"]
            headers["Connection"] = "close"
        self._send_headers(status, headers | answer.headers)
        self._send(sent[: answer.sent_bytes])
        time.sleep(answer.hang_s)
        self.close_connection = True

    def _placed(self, answer: Answer, length: int) -> tuple[int, int, dict[str, str]]:
        """The status, the first byte that is sent, and the headers that say so."""
        etag, modified = answer.etag or self.web.etag, self.web.modified
        headers = {"ETag": etag, "Last-Modified": modified}
        named = {name: value for name, value in headers.items() if value}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        version = self.headers.get("If-Range", etag) if answer.if_range else etag
        if not wanted or not answer.ranges or version not in {etag, modified}:
            return 200, 0, named
        start = int(wanted[1])
        if start >= length:
            return 416, 0, named | {"Content-Range": f"bytes */{length}"}
        return 206, start, named | {"Content-Range": f"bytes {start}-{length - 1}/{length}"}

    def _send_headers(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, content: bytes) -> None:
        for start in range(0, len(content), BLOCK_BYTES):
            self.wfile.write(content[start : start + BLOCK_BYTES])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass
