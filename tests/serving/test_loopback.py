import asyncio
from typing import Any, cast

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from stemset.serving.loopback import LoopbackNamesOnly

APP = LoopbackNamesOnly(
    PlainTextResponse("passed on"), lambda host: PlainTextResponse(f"no: {host}", 421)
)


def call(host: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", APP))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/", headers={"host": host})

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LocalHost:1", "127.0.0.1:65535", "[::1]", "[::1]:8080"]
)
def test_call_by_a_name_of_loopback_is_passed_on_whatever_the_port(host: str):
    assert call(host).text == "passed on"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "[::1",
        "::1",
        "10.0.0.1:80",
    ],
)
def test_call_by_another_name_is_refused_with_the_name(host: str):
    answer = call(host)

    assert (answer.status_code, answer.text) == (421, f"no: {host}")


def test_what_is_no_call_is_passed_on():
    passed: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        passed.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def sink(_message: Message) -> None: ...

    guard = LoopbackNamesOnly(app, lambda _: app)
    asyncio.run(guard({"type": "lifespan"}, nothing, sink))

    assert passed == ["lifespan"]
