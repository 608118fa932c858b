import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from stemset.cli.remote import connect
from stemset.config import load_settings
from stemset.errors import StorageNotConfigured
from stemset.orders.address import WorkerAddress

LIMIT_S = 10
BUCKET = {
    "R2_BUCKET_NAME": "band",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "key",
    "STEMSET_S3_ENDPOINT": "http://127.0.0.1:9",
}


@pytest.fixture
def server() -> Iterator[Callable[[list[int]], str]]:
    """Starts an HTTP server that answers with these statuses, one after the other."""
    servers: list[HTTPServer] = []

    def start(statuses: list[int]) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(statuses.pop(0) if self.path == "/readyz" else 404)
                self.end_headers()

            def log_request(self, *_: object, **__: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for each in servers:
        each.shutdown()
        each.server_close()


def test_waking_asks_until_the_worker_is_ready(server: Callable[[list[int]], str]) -> None:
    statuses = [502, 503, 200, 500]

    wake(server(statuses))

    assert statuses == [500]


def test_waking_of_nothing_is_left_to_the_order_to_report() -> None:
    wake("http://127.0.0.1:9", patience_s="0.2")


def wake(url: str, patience_s: str = "10") -> None:
    settings = load_settings(None, {**BUCKET, "STEMSET_WORKER_PATIENCE_S": patience_s})

    async def run() -> None:
        connection = connect.connect(settings, WorkerAddress(url, ()))
        await connection.wake()
        await connection.runner.close()

    asyncio.run(asyncio.wait_for(run(), LIMIT_S))


@pytest.mark.parametrize(("switch", "with_links"), [("1", True), ("0", False)])
def test_connection_makes_links_only_if_it_is_told_to(switch: str, with_links: bool) -> None:
    settings = load_settings(None, {**BUCKET, "STEMSET_WORKER_LINKS": switch})

    with closing(asyncio.new_event_loop()) as loop:
        connection = connect.connect(settings, WorkerAddress("http://127.0.0.1:9", ()))
        loop.run_until_complete(connection.runner.close())

    assert (connection.links is not None) == with_links


def test_connection_without_a_bucket_is_refused() -> None:
    with pytest.raises(StorageNotConfigured, match="R2_BUCKET_NAME"):
        connect.connect(load_settings(None, {}), WorkerAddress("http://127.0.0.1:9", ()))
