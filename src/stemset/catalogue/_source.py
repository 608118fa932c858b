"""Ask the server that publishes a file for it, or for its end."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from stemset.catalogue.entry import PublishedFile
from stemset.errors import ModelDownloadFailed
from stemset.http_rules import advised_pause_s, is_loopback

# It logs the URL of every request, and some hosts redirect to URLs that are secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

_CONNECT_S = 10.0
_LONGEST_ADVISED_PAUSE_S = 60.0
_MAX_REDIRECTS = 10
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(?:(\d{1,18})|\*)")


@contextmanager
def http_client(stall_s: float) -> Iterator[httpx.Client]:
    # Of silence, not of the whole transfer: httpx counts each read by itself.
    timeout = httpx.Timeout(stall_s, connect=min(stall_s, _CONNECT_S))
    try:
        client = httpx.Client(timeout=timeout, follow_redirects=False)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise ModelDownloadFailed(
            "The settings for proxies and certificates in the environment (HTTPS_PROXY, ALL_PROXY, "
            f"SSL_CERT_FILE, …) cannot be used: {error}."
        ) from error
    with client:
        yield client


class TryAgain(Exception):
    """A try broke off; another one may do better."""

    def __init__(self, reason: str, advised_s: float = 0.0) -> None:
        super().__init__(reason)
        self.advised_s = advised_s


class Source:
    """Where a file is published."""

    def __init__(self, client: httpx.Client, file: PublishedFile, token: str | None) -> None:
        self._client = client
        self._file = file
        self._url = httpx.URL(file.url)
        self._token = (token or "").strip()
        if self._token and not _TOKEN.fullmatch(self._token):
            raise ModelDownloadFailed(
                f"The token for {self._url} holds characters that no token has."
            )

    @contextmanager
    def answer(self, start: int, validator: str | None) -> Iterator[httpx.Response]:
        """Ask for the file.

        Args:
            start: First byte that is wanted.
            validator: The version whose end is wanted; the whole file comes if there is another.

        Yields:
            An answer of status 200, 206 or 416, its body not yet read.

        Raises:
            ModelDownloadFailed: The server refuses for good.
            TryAgain: The connection broke, here or within the block, or the server is busy.
        """
        headers = {"Accept-Encoding": "identity"}  # what is hashed is what is published
        if start and validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        with self._in_our_words(), self._last_answer(headers) as response:
            self._check(response)
            yield response

    @contextmanager
    def _last_answer(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Follow redirects."""
        url = self._url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_safe(url)
            sent = headers | self._authorization(url)
            with self._client.stream("GET", url, headers=sent) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = url.join(response.headers["Location"])
        raise ModelDownloadFailed(f"{self._url} redirects more than {_MAX_REDIRECTS} times.")

    def _check_safe(self, url: httpx.URL) -> None:
        """Refuse to talk where others can listen; http may not leave this machine."""
        if url.scheme == "https" and url.host:
            return
        if url.scheme == self._url.scheme == "http" and is_loopback(url.host):
            return
        asked = "" if url == self._url else f" redirects to {url.scheme}://{url.host}, which"
        raise ModelDownloadFailed(f"{self._url}{asked} is not https: nothing was fetched.")

    def _authorization(self, url: httpx.URL) -> dict[str, str]:
        if self._token and _origin(url) == _origin(self._url):
            return {"Authorization": f"Bearer {self._token}"}
        return {}

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in {200, 206, 416}:
            return
        said = f"{status} {httpx.codes.get_reason_phrase(status)}".strip()
        if status in {408, 425, 429} or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise TryAgain(
                f"the server answered {said}",
                advised_pause_s(response.headers, at_most_s=_LONGEST_ADVISED_PAUSE_S),
            )
        raise ModelDownloadFailed(f"{self._url} was answered with {said}. {by_hand(self._file)}")

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Translate httpx's errors."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise TryAgain("no connection could be made in time") from error
        except httpx.TimeoutException as error:
            raise TryAgain(f"no byte came for {self._client.timeout.read:g} s") from error
        except httpx.RequestError as error:
            raise TryAgain(str(error).rstrip(".") or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise ModelDownloadFailed(f"{self._url} redirects to what is no URL.") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def validator_of(response: httpx.Response) -> str | None:
    """What names this version of the file in ``If-Range``. Source: RFC 9110, 13.1.5."""
    etag = response.headers.get("ETag", "W/")
    named = response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
    return named if named.isascii() and named.isprintable() and named else None


def length_of(response: httpx.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def content_range_of(response: httpx.Response) -> tuple[int | None, int | None]:
    """The first byte of an answer and the length of the whole file, each None if not said."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return (int(first) if first else None, int(total) if total else None)


def by_hand(file: PublishedFile) -> str:
    return f"Or put {file.name} into a folder by hand and install it with `--from FOLDER`."
