"""A sign-in that is under way: kept in a cookie of the browser that began it, sealed by a secret.

Nothing of it is kept here, so strangers who begin many cost nothing. All that the provider gets is
derived from the flow's id with the service's secret: the cookie tells neither state, nonce nor
verifier.

Source: RFC 6749, 10.12 (state); RFC 7636 (PKCE); OpenID Connect Core 1.0, 3.1.2.1 (nonce).
"""

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from stemset.errors import SignInExpired

LASTS_S = 600.0

_ID_BYTES = 16
_LONGEST_NEXT = 2048
_NO_VIEW = "/api/"
_EXPIRED = (
    "This sign-in took longer than 10 minutes, began in another browser, or was used already. "
    "Sign in again."
)


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that is under way.

    Attributes:
        id: Its id.
        next: The path to go to when it is done.
        state: What comes back beside the code.
        nonce: What comes back in the ID token.
        verifier: What is shown when the code is redeemed.
    """

    id: str
    next: str
    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """What the provider gets of the verifier (S256)."""
        return _text(sha256(self.verifier.encode()).digest())


def begin(secret: bytes, wanted: str, now_s: float) -> tuple[Flow, str]:
    """Begin one.

    Args:
        secret: The service's.
        wanted: Where the person wants to go when it is done.
        now_s: The time.

    Returns:
        The flow, and what the cookie is to hold.
    """
    flow_id = secrets.token_urlsafe(_ID_BYTES)
    path = local_path(wanted)
    held = _text(json.dumps([flow_id, path, int(now_s)]).encode())
    return _flow(secret, flow_id, path), f"{held}.{_derived(secret, 'cookie', held)}"


def resume(secret: bytes, cookie: str | None, state: str | None, now_s: float) -> Flow:
    """Go on with one.

    Args:
        secret: The service's.
        cookie: What the browser's cookie holds.
        state: What came back beside the code.
        now_s: The time.

    Raises:
        SignInExpired: The browser has begun none, or too long ago, or not this one.
    """
    held, _, seal = (cookie or "").partition(".")
    if not _is_same(_derived(secret, "cookie", held), seal):
        raise SignInExpired(_EXPIRED)
    flow_id, wanted, began_s = json.loads(base64.urlsafe_b64decode(held + "=" * (-len(held) % 4)))
    flow = _flow(secret, flow_id, wanted)
    if not 0 <= now_s + 1 - began_s <= LASTS_S or not _is_same(flow.state, state or ""):
        raise SignInExpired(_EXPIRED)
    return flow


def local_path(wanted: str) -> str:
    """Where to go when it is done: a view of the page and nothing else, ``/`` for what is none.

    Browsers take paths that begin with two slashes, or hold backslashes or tabs, for other sites.
    """
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    is_view = (
        len(wanted) <= _LONGEST_NEXT
        and wanted.isascii()
        and wanted.isprintable()
        and wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and not parts.scheme
        and not parts.netloc
        and not f"{parts.path}/".startswith(_NO_VIEW)
    )
    return wanted if is_view else "/"


def _flow(secret: bytes, flow_id: str, wanted: str) -> Flow:
    state, nonce, verifier = (
        _derived(secret, purpose, flow_id) for purpose in ("state", "nonce", "verifier")
    )
    return Flow(flow_id, wanted, state, nonce, verifier)


def _derived(secret: bytes, purpose: str, text: str) -> str:
    """43 characters that only who has the secret can tell."""
    return _text(hmac.digest(secret, f"{purpose}\0{text}".encode("utf-8", "replace"), "sha256"))


def _is_same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode("utf-8", "replace"))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
