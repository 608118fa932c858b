"""An S3 server that refuses what R2 refuses, and goes wrong when it is told to.

It stands before the real server and passes on what R2 would take, byte for byte: signatures cover
the `Host` header, which therefore stays as the client sent it.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

from r2_rules import Asked, Refusal, Rules

_CHUNK_BYTES = 1 << 18
_WAIT_S = 60.0
_SLOW_S = 2.0
_LATE_S = 8.0
_SLICES = 10


class Kind(StrEnum):
    """What goes wrong."""

    SLOW_DOWN = "the store is busy: 503, and nothing is done"
    LOST_ANSWER = "what is asked for is done, and the connection breaks before the answer"
    TRUNCATED = "the connection breaks in the middle of the answer's body"
    FLIPPED_BIT = "one bit of the answer's body is wrong"
    WRONG_LENGTH = "the answer promises one byte more than comes"
    REDIRECTED = "the store answers that it is elsewhere"
    SLOW_UPLINK = "the body takes two seconds to arrive"
    LATE = "the call takes eight seconds to reach the store"


@dataclass
class Fault:
    """Something that goes wrong, to the first calls that fit.

    Attributes:
        kind: What.
        method: Method of the calls.
        match: A part of their path and query.
        times: How many calls.
    """

    kind: Kind
    method: str
    match: str = ""
    times: int = 1


class R2Proxy(ThreadingHTTPServer):
    """The server.

    Attributes:
        rules: What it refuses; limits can be made smaller.
        faults: What goes wrong next.
        asked: Every call, in order.
        refused: Codes of the refusals that the rules led to.
    """

    daemon_threads = True
    # A listening queue that takes all parallel connections of a client.
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        """Stand before the S3 server at ``upstream``."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.rules = Rules()
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.crashes: list[BaseException] = []
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fails(self, kind: Kind, method: str, match: str = "", *, times: int = 1) -> None:
        """Let calls go wrong from now on."""
        self.faults.append(Fault(kind, method, match, times))

    def count(self, method: str, match: str = "") -> int:
        """How many calls came that fit."""
        return sum(each.method == method and match in each.target for each in self.asked)

    def take(self, asked: Asked) -> Fault | None:
        """Note a call; returns what goes wrong with it."""
        with self._lock:
            self.asked.append(asked)
            for fault in self.faults:
                if fault.times and fault.method == asked.method and fault.match in asked.target:
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no crash."""
        del request, client_address
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            self.crashes.append(error)


@contextmanager
def r2_before(upstream: str) -> Iterator[R2Proxy]:
    """R2's rules before the S3 server at ``upstream``."""
    with R2Proxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
    assert proxy.crashes == []


class _Handler(BaseHTTPRequestHandler):
    """Passes calls on."""

    protocol_version = "HTTP/1.1"
    timeout = _WAIT_S
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        """Calls are noted, not printed."""

    def _pass_on(self) -> None:
        proxy = cast("R2Proxy", self.server)
        asked = Asked(self.command, self.path, self.headers)
        fault = proxy.take(asked)
        body = self._begin_of_body(asked, fault)
        if fault and fault.kind in {Kind.SLOW_DOWN, Kind.REDIRECTED}:
            self._refuse(_ANSWERS[fault.kind], asked, body)
        elif refusal := proxy.rules.refusal(asked, body):
            proxy.refused.append(refusal.code)
            self._refuse(refusal, asked, body)
        else:
            self._ask_upstream(proxy.upstream, asked, body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - as in its base

    def _refuse(self, refusal: Refusal, asked: Asked, read: bytes) -> None:
        for _ in self._body(asked.bytes - len(read)):
            pass
        text = f"<Error><Code>{refusal.code}</Code></Error>".encode()
        self.send_response(refusal.status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _ask_upstream(self, upstream: str, asked: Asked, read: bytes, fault: Fault | None) -> None:
        if fault and fault.kind is Kind.LATE:
            time.sleep(_LATE_S)
        connection = HTTPConnection(upstream, timeout=_WAIT_S)
        try:
            connection.putrequest(
                asked.method, asked.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in asked.headers.items():
                connection.putheader(name, value)
            connection.endheaders(read or None)
            for chunk in self._body(asked.bytes - len(read)):
                connection.send(chunk)
            self._answer(connection.getresponse(), fault.kind if fault else None)
        finally:
            connection.close()

    def _body(self, length: int) -> Iterator[bytes]:
        while length > 0 and (chunk := self.rfile.read(min(length, _CHUNK_BYTES))):
            length -= len(chunk)
            yield chunk

    def _begin_of_body(self, asked: Asked, fault: Fault | None) -> bytes:
        """What has to be read before the call is passed on."""
        if fault and fault.kind is Kind.SLOW_UPLINK:
            return self._read_slowly(asked.bytes)
        return self.rfile.read(asked.bytes) if asked.is_completion else b""

    def _read_slowly(self, length: int) -> bytes:
        slices = [length // _SLICES] * (_SLICES - 1)
        slices.append(length - sum(slices))
        data = b""
        for each in slices:
            time.sleep(_SLOW_S / _SLICES)
            data += self.rfile.read(each)
        return data

    def _answer(self, response: HTTPResponse, fault: Kind | None) -> None:
        if fault is Kind.LOST_ANSWER:
            response.read()
            self.close_connection = True
            return
        # Short answers come in chunks of an unknown number, long ones with their length.
        length = response.getheader("Content-Length")
        whole = response.read() if length is None and self.command != "HEAD" else b""
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        promised = int(length or len(whole)) + (fault is Kind.WRONG_LENGTH)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(whole)
        if self.command != "HEAD":
            self._send_body(response, int(length or 0), fault)
        self.close_connection = fault is not None

    def _send_body(self, response: HTTPResponse, length: int, fault: Kind | None) -> None:
        middle, sent = length // 2, 0
        while chunk := response.read(_CHUNK_BYTES):
            if sent <= middle < sent + len(chunk):
                if fault is Kind.TRUNCATED:
                    self.wfile.write(chunk[: middle - sent])
                    return
                if fault is Kind.FLIPPED_BIT:
                    wrong = bytearray(chunk)
                    wrong[middle - sent] ^= 1
                    chunk = bytes(wrong)
            self.wfile.write(chunk)
            sent += len(chunk)


_ANSWERS = {
    Kind.SLOW_DOWN: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
    Kind.REDIRECTED: Refusal(HTTPStatus.TEMPORARY_REDIRECT, "TemporaryRedirect"),
}
