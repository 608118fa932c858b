"""The page: what ``web/`` was built to, given out at ``/`` to whoever asks.

It holds nothing of anybody's, so it needs no token: what it shows are answers of the API, which do.

Its files are read once, when the application is made. So no request names a file on the disk, and
a page that is built anew meanwhile is not mixed with the one that is given out.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import stemset
from stemset.api.errors import http_refusal
from stemset.storage.settings import StoreSettings

BUILT = Path(stemset.__file__).with_name("_web")
"""Where the page is, in a package that has one."""

_INDEX = "index.html"
_NAMED_BY_CONTENT = "/assets/"
_NO_VIEW = re.compile(r"/(?:api|assets)(?:/.*)?|.*\.[^/]*")
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_NO_GZIP = re.compile(r";\s*q=0(?:\.0*)?\s*$")
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'{bucket}; img-src 'self' data: blob:{bucket}; "
    "media-src 'self' blob:{bucket}; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stemset</title>
<h1>Stemset runs, but without its page</h1>
<p>This installation holds no page. In a clone of the project, <code>make demo</code> builds it;
then start the service again.</p>
<p>The API works: <a href="/api/openapi.json">its description</a>.</p>
"""


class Page:
    """Answers what no route does, if it is the page's; passes on what is not.

    Attributes:
        path: What all its calls are counted as.
    """

    path = "page"

    def __init__(self, folder: Path, store: StoreSettings, otherwise: ASGIApp) -> None:
        """Read the page.

        Args:
            folder: Where it was built to; there may be none.
            store: Where media come from.
            otherwise: Answers what is not the page's.
        """
        self._files = _read(folder)
        self._index = self._files.pop(f"/{_INDEX}", None)
        self._otherwise = otherwise
        self._headers = {
            "content-security-policy": _POLICY.format(bucket=_origin_of(store)),
            "referrer-policy": "same-origin",
            "x-frame-options": "DENY",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, or pass it on."""
        app = self._otherwise
        if scope["type"] == "http" and (answer := self._answer(scope)) is not None:
            answer.headers.update(self._headers)
            scope["route"] = self
            app = answer
        await app(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        reads = scope["method"] in {"GET", "HEAD"}
        file = self._files.get(scope["path"])
        if file is None and (scope["path"] == "/" or (reads and _is_view(scope["path"], headers))):
            if self._index is None:
                return HTMLResponse(_NOT_BUILT, 404)
            file = self._index
        if file is None:
            return None
        if not reads:
            return http_refusal(405, "The page can only be read.", {"allow": "GET, HEAD"})
        return file.answer(scope["method"], headers)


class _File:
    """A file of the page, ready to be sent."""

    def __init__(self, path: str, content: bytes) -> None:
        self._content = content
        self._digest = hashlib.sha256(content).hexdigest()[:32]
        self._headers = {
            "cache-control": _FOR_EVER if path.startswith(_NAMED_BY_CONTENT) else _ASK_AGAIN,
            "content-type": _KINDS.get(Path(path).suffix, "application/octet-stream"),
            "vary": "accept-encoding",
        }

    def answer(self, method: str, asked: Headers) -> Response:
        """The answer to a request with these headers."""
        content, tag = self._content, f'"{self._digest}"'
        headers = dict(self._headers)
        if _takes_gzip(asked) and len(self._zipped) < len(content):
            content, tag = self._zipped, f'"{self._digest}-gzip"'
            headers["content-encoding"] = "gzip"
        headers["etag"] = tag
        if _knows(asked, tag):
            return Response(None, 304, headers)
        headers["content-length"] = str(len(content))
        return Response(content if method == "GET" else None, 200, headers)

    @cached_property
    def _zipped(self) -> bytes:
        return gzip.compress(self._content, mtime=0)


def _read(folder: Path) -> dict[str, _File]:
    """The files of the page by the path they are asked for with."""
    found = [each for each in folder.rglob("*") if each.is_file() and each.name[0] != "."]
    paths = {f"/{each.relative_to(folder).as_posix()}": each for each in found}
    return {path: _File(path, each.read_bytes()) for path, each in paths.items()}


def _is_view(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser goes to a view of the page, of which only the page knows the addresses."""
    return "text/html" in headers.get("accept", "") and not _NO_VIEW.fullmatch(path)


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    offers = (each.strip().lower() for each in headers.get("accept-encoding", "").split(","))
    return any(
        each.partition(";")[0].rstrip() == "gzip" and not _NO_GZIP.search(each) for each in offers
    )


def _knows(headers: Mapping[str, str], tag: str) -> bool:
    known = headers.get("if-none-match", "").split(",")
    return tag in {each.strip().removeprefix("W/") for each in known}


def _origin_of(store: StoreSettings) -> str:
    """A bucket's origin as part of a policy; media of a folder come from the service itself."""
    if store.kind != "s3":
        return ""
    parts = urlsplit(store.endpoint)
    return f" {parts.scheme}://{parts.netloc}"
