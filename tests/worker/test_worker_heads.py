"""Requests to a real worker that do not begin in earnest; what a head may be is in ``serving``."""

import socket

import httpx
from running_worker import WITHIN_S, Client

from stemset.serving.bounded_http import MAX_HEAD_BYTES


def test_head_that_is_too_long_is_refused_and_the_worker_goes_on(client: Client):
    port = httpx.URL(client.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\na: " + b"b" * MAX_HEAD_BYTES)

        assert raw.recv(65_536).startswith(b"HTTP/1.1 431 ")
    assert client.get("/livez").status_code == httpx.codes.OK
