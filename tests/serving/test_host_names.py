import asyncio
from typing import Any, cast

import httpx
import pytest
from starlette.responses import PlainTextResponse

from stemset.serving.host_names import HostNamesOnly

NAMES = frozenset({"192.168.1.5", "fd00::5", "laptop.local"})
APP = HostNamesOnly(
    PlainTextResponse("passed on"),
    NAMES.__contains__,
    lambda host: PlainTextResponse(f"no: {host}", 421),
)


def call(host: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", APP))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/", headers={"host": host})

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "host", ["192.168.1.5", "192.168.1.5:8443", "LAPTOP.local:8443", "[fd00::5]:8443"]
)
def test_call_by_a_name_that_is_known_is_passed_on_whatever_the_port(host: str):
    assert call(host).text == "passed on"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "192.168.1.6:8443",
        "laptop.local.evil.example",
        "localhost",
        "127.0.0.1:8443",
        "[fd00::5",
    ],
)
def test_call_by_another_name_is_refused_with_the_name(host: str):
    answer = call(host)

    assert (answer.status_code, answer.text) == (421, f"no: {host}")
