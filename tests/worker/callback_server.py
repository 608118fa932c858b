"""A back end that takes callbacks, or does with them what it is told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG = 0
"""Takes the call and does not answer."""


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Backend:
    """What came, and what it is answered with; the last answer is for all that follow."""

    url: str
    answers: Sequence[int]
    calls: list[Call] = field(default_factory=list[Call])
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def callback_url(self) -> str:
        return f"{self.url}/app/jobs/1/callback"

    def take(self, call: Call) -> int:
        self.calls.append(call)
        return self.answers[min(len(self.calls), len(self.answers)) - 1]


@contextmanager
def listening(*answers: int) -> Iterator[Backend]:
    """Listen on loopback; redirects (3xx) point to ``/app/elsewhere``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = backend.take(Call(self.path, headers, body))
            if status == HANG:
                backend.closed.wait(30)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{backend.url}/app/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        backend = Backend(f"http://127.0.0.1:{server.server_port}", answers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield backend
        finally:
            backend.closed.set()
            server.shutdown()
            thread.join(10)
