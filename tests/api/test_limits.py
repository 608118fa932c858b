"""Nothing that a client sends makes the service fail: through the real server and real routes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from service_client import RunningService
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stemset.api.limits import MAX_BODY_BYTES, Limits
from stemset.serving.bounded_http import MAX_HEAD_BYTES

JSON = {"content-type": "application/json"}
WANTED = {"profile_name": "h4n", "filename": "a.wav"}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has the one form that there is."""
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    named = {"request_id"} if "x-request-id" in answer.headers else set()
    assert set(error) == {"code", "detail", "retryable"} | named
    return answer.status_code, error["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 200_000,
        b'{"profile_name": NaN}',
        b'{"profile_name": "h4n", "profile_name": "h4n", "filename": "a"}',
        b'{"profile_name": "h4n", "filename": "a\\u0000b"}',
        b'{"profile_name": "h4n", "filename": "\\ud800"}',
        b'{"profile_name": 9223372036854775808, "filename": "a"}',
        b'{"profile_name": ["h4n"], "filename": {"a": 1}}',
        b'{"profile_name": "h4n"}',
        json.dumps({"filename": "x" * 500_000}).encode(),
        json.dumps(WANTED).encode("utf-16"),
    ],
    ids=range(16),
)
def test_body_that_is_not_as_described_is_refused_as_invalid(client: httpx.Client, body: bytes):
    answer = client.post("/api/process", content=body, headers=JSON)

    assert code(answer) == (422, "request_invalid")
    assert len(answer.text) < 2000  # what was sent is not sent back


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "x"])
def test_body_that_does_not_say_it_is_json_is_refused(client: httpx.Client, kind: str | None):
    body = json.dumps(WANTED).encode()
    answer = client.post(
        "/api/process", content=body, headers={"content-type": kind} if kind else {}
    )

    assert code(answer) == (422, "request_invalid")


def test_body_whose_keys_hold_half_a_pair_is_answered_in_json(client: httpx.Client):
    answer = client.post("/api/process", content=b'{"\\ud800": 1}', headers=JSON)

    assert code(answer) == (422, "request_invalid")


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 4 * MAX_BODY_BYTES])
def test_body_over_the_limit_is_refused_and_the_connection_is_kept(client: httpx.Client, size: int):
    answer = client.post("/api/process", content=b" " * size, headers=JSON)

    assert code(answer) == (413, "request_too_large")
    assert "connection" not in answer.headers
    assert client.get("/livez").status_code == 200


def test_body_at_the_limit_reaches_the_route(client: httpx.Client):
    start, end = b'{"profile_name": "none", "filename": "a.wav"', b"}"
    body = start + b" " * (MAX_BODY_BYTES - len(start) - len(end)) + end

    assert code(client.post("/api/process", content=body, headers=JSON)) == (
        404,
        "profile_unknown",
    )


def test_body_that_does_not_end_is_refused_while_it_comes(running: RunningService):
    sent = 0
    with socket.create_connection(("127.0.0.1", httpx.URL(running.url).port or 0)) as raw:
        raw.settimeout(10)
        raw.sendall(
            b"POST /api/process HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: 10000000000\r\n\r\n"
        )
        try:
            while sent < 64 * MAX_BODY_BYTES:
                sent += raw.send(b" " * 65536)
        except OSError:
            pass  # closed by the other side
    assert sent < 64 * MAX_BODY_BYTES


def test_head_that_is_too_long_is_refused_and_the_service_goes_on(running: RunningService):
    at = ("127.0.0.1", httpx.URL(running.url).port or 0)
    with socket.create_connection(at, timeout=10) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\na: " + b"b" * MAX_HEAD_BYTES)

        assert raw.recv(65_536).startswith(b"HTTP/1.1 431 ")
    assert running.client.get("/livez").status_code == httpx.codes.OK


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs/a%00b",
        "/api/jobs/a%00b/status",
        "/api/jobs?profile=%00",
        "/api/jobs?cursor=a%00",
        "/api/uploads/%00",
        "/livez?x=%00",
    ],
)
def test_url_with_a_nul_is_refused_as_invalid(client: httpx.Client, path: str):
    assert code(client.get(path)) == (422, "request_invalid")


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "%2Fetc%2Fpasswd",
        "%FF",
        "%ED%A0%80",
        "%F0%9F%8E%B5",
        "%0D%0Aa:b",
        "'--",
        "x" * 5000,
    ],
)
def test_id_of_odd_characters_is_not_found(client: httpx.Client, name: str):
    for path in (f"/api/jobs/{name}/status", f"/api/uploads/{name}"):
        answer = client.get(path)
        if answer.status_code != 200:  # `..` is resolved by the client
            assert code(answer)[0] in {404, 422}


@pytest.mark.parametrize(
    "query",
    ["limit=x", "limit=0", "limit=99999999999999999999", "state=none", "cursor=%FF", "cursor=~~"],
)
def test_query_of_wrong_types_is_refused_as_invalid(client: httpx.Client, query: str):
    status, _ = code(client.get(f"/api/jobs?{query}"))

    assert status == 422


def test_path_that_is_none_is_answered_in_json(client: httpx.Client):
    assert code(client.get("/api/nothing")) == (404, "not_found")
    assert code(client.get("/api/jobs/")) == (404, "not_found")


def test_method_that_is_none_is_answered_in_json(client: httpx.Client):
    answer = client.delete("/livez")

    assert code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"]


async def limited(body: AsyncIterator[bytes], route: str, **wishes: Any) -> httpx.Response:
    """Send a body to an application behind limits that gives it back."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        content = await Request(scope, receive).body()
        await Response(content)(scope, receive, send)

    method, path = route.split()
    transport = httpx.ASGITransport(cast("Any", Limits(echo, **wishes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, content=body, headers=JSON)


async def slowly() -> AsyncIterator[bytes]:
    yield b"["
    await asyncio.sleep(10)


async def at_once() -> AsyncIterator[bytes]:
    yield b"[1"
    yield b", NaN"
    yield b"]"


def test_body_that_does_not_come_is_a_timeout():
    answer = asyncio.run(limited(slowly(), "POST /api/process", within_s=0.05))

    assert code(answer) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "route", ["POST /api/upload", "PUT /api/uploads/a1/parts/2", "POST /api/jobs/a1/callback"]
)
def test_body_that_a_route_judges_itself_reaches_it_as_it_came(route: str):
    answer = asyncio.run(limited(at_once(), route))

    assert answer.content == b"[1, NaN]"


@pytest.mark.parametrize(
    "route",
    [
        "GET /api/upload",
        "POST /api/uploads",
        "POST /api/uploads/a1/complete",
        "POST /api/uploads/a1/parts/2",
        "PUT /api/uploads/a1/parts/2/3",
        "POST /api/upload/",
        "POST /api/jobs/a1/b/callback",
    ],
)
def test_body_of_any_other_route_is_checked(route: str):
    assert code(asyncio.run(limited(at_once(), route))) == (422, "request_invalid")


def test_body_of_a_signed_route_is_limited():
    answer = asyncio.run(limited(at_once(), "POST /api/jobs/a1/callback", max_bytes=4))

    assert code(answer) == (413, "request_too_large")
