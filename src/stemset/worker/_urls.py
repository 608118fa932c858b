"""URLs that come with orders: what may be called."""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from stemset.errors import InvalidOrder
from stemset.http_rules import is_loopback

# What a URL may consist of: anything else is read differently by different parsers.
_PLAIN = re.compile(r"[!-\[\]-~]{1,8192}")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_link(url: str) -> None:
    """Check a presigned URL: https, or http to this machine itself.

    Which server it names is the orderer's word, so links are taken from signed orders only.

    Raises:
        InvalidOrder: It is anything else; the message does not hold the URL, which is a key.
    """
    parts = _split(url, "A link")
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise InvalidOrder(f"A link must be https, got {parts.scheme} to {parts.hostname}.")


def check_below(url: str, base: str) -> None:
    """Check that a URL lies below another one: same server, and a path further down.

    Args:
        url: Where an order wants to be called back.
        base: What is configured.

    Raises:
        InvalidOrder: It lies elsewhere.
    """
    parts, wanted = _split(url, "callback_url"), _split(base, "BACKEND_URL")
    folder = wanted.path.rstrip("/")
    same_server = _server(parts) == _server(wanted)
    if not same_server or not f"{parts.path}/".startswith(f"{folder}/") or _climbs(parts.path):
        raise InvalidOrder(f"callback_url {url!r} is not below this worker's BACKEND_URL.")


def check_base(url: str) -> None:
    """Check a configured base URL. Raises InvalidOrder."""
    _split(url, "BACKEND_URL")


def below(base: str, path: str) -> str:
    """The URL of a fixed path below a base. Raises InvalidOrder if the base holds a query."""
    _split(base, "BACKEND_URL")
    if "?" in base:
        raise InvalidOrder(f"BACKEND_URL {base!r} must hold no '?'.")
    return f"{base.rstrip('/')}{path}"


def _split(url: str, what: str) -> SplitResult:
    """Take a URL apart that all parsers read in the same way."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    plain = _PLAIN.fullmatch(url) and not parts.fragment and "@" not in parts.netloc
    if not plain or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidOrder(f"{what} must be a plain http or https URL.")
    return parts


def _server(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def _climbs(path: str) -> bool:
    """Whether a path has a ``..``, however often it is encoded."""
    while (decoded := unquote(path)) != path:
        path = decoded
    return ".." in re.split(r"[/\\]", path)
