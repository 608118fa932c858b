"""What takes callbacks in a service's place: goes wrong as it is told, and passes others on."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import httpx

BROKEN = 0
"""The connection breaks before an answer."""

SILENT = -1
"""Nothing is answered for as long as the caller waits."""

PASSED_ON = -2
"""The service answers."""

REDIRECT = 307


@dataclass(frozen=True)
class Callback:
    """One that came.

    Attributes:
        at_s: When, on this process's monotonic clock.
        message_id: Its id, which repetitions share.
        path: What was called.
        answer: The status that was answered, or what went wrong.
    """

    at_s: float
    message_id: str
    path: str
    answer: int


class Receiver(ThreadingHTTPServer):
    """Takes callbacks.

    Attributes:
        answers: What comes of each: a status, or one of the names above.
        service_url: The service, which redirects lead to as well.
        came: Those that have been answered or given up, in that order.
    """

    daemon_threads = True

    def __init__(self, service_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Iterator[int] = iter(())
        self.service_url = service_url
        self.came: list[Callback] = []

    @property
    def url(self) -> str:
        """What the worker takes for the service's address."""
        return f"http://127.0.0.1:{self.server_port}"

    def answer_with(self, answers: Iterable[int]) -> None:
        """Have the next ones answered so, one each."""
        self.answers = iter(answers)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = cast("Receiver", self.server)
        at_s = time.monotonic()
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = next(receiver.answers)
        if answer == PASSED_ON:
            answer = self._pass_on(receiver.service_url, body)
        if answer == SILENT:
            self.connection.recv(1)  # until the caller gives up
        if answer in {BROKEN, SILENT}:
            self.close_connection = True
        else:
            self._say(answer, receiver.service_url)
        message_id = self.headers["webhook-id"]
        receiver.came.append(Callback(at_s, message_id, self.path, answer))

    def _pass_on(self, service_url: str, body: bytes) -> int:
        headers = {name: self.headers[name] for name in self.headers if name.lower() != "host"}
        url = f"{service_url}{self.path}"
        return httpx.post(url, content=body, headers=headers, trust_env=False).status_code

    def _say(self, status: int, service_url: str) -> None:
        self.send_response(status)
        if status == REDIRECT:
            self.send_header("location", service_url + self.path)
        if status != httpx.codes.NO_CONTENT:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        """Calls are kept, not printed."""


@contextmanager
def receiver(service_url: str) -> Iterator[Receiver]:
    """Stand in a service's place, on a free port."""
    with Receiver(service_url) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
