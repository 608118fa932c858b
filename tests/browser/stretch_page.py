"""A page of nothing but the stretch, built by Vite and given out under the page's own policy."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from page_build import WEB, npm

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self' https:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
)
_CONFIG = WEB / "vite.config.ts"
_ENTRY = """
window.load = async () => (await import("{engine}/stretch.ts")).makeStretch;
"""
_PAGE = """<!doctype html><title>Stretch</title><link rel="icon" href="data:,">
<script type="module" src="./entry.ts"></script>"""


@dataclass(frozen=True)
class StretchPage:
    """Where it is.

    Attributes:
        url: Its address.
        requested: Paths that browsers asked for.
    """

    url: str
    requested: list[str]


@contextmanager
def stretch_page(folder: Path) -> Iterator[StretchPage]:
    """Build it in a folder and serve it; its ``load()`` gives ``makeStretch``."""
    source, built = folder / "source", folder / "built"
    source.mkdir()
    (source / "entry.ts").write_text(_ENTRY.format(engine=WEB / "src" / "engine"))
    (source / "index.html").write_text(_PAGE)
    npm(
        "exec", "--", "vite", "build", str(source), "--outDir", str(built), "--config", str(_CONFIG)
    )
    requested: list[str] = []
    handler = partial(_Handler, requested, directory=str(built))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield StretchPage(f"http://127.0.0.1:{server.server_port}/", requested)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, requested: list[str], *arguments: Any, **named: Any) -> None:
        self._requested = requested
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        self._requested.append(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("content-security-policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass
