"""Calls to presigned URLs: repeated while the store cannot answer, renewed when they expire.

Redirects are not followed, and no URL goes into a message or a log: whoever has one has the object.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import httpx

from stemset.errors import LinkExpired, StemsetError, StorageRefused, StorageUnavailable
from stemset.http_rules import advised_pause_s
from stemset.storage._refusals import code_in, passes, refusal
from stemset.storage._sigv4 import is_expired

# It logs the URL of every request.
logging.getLogger("httpx").setLevel(logging.WARNING)

# Of silence, not of a whole transfer: httpx counts each read and each write by itself.
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_LONGEST_ADVISED_PAUSE_S = 30.0
_ANSWER_BYTES = 64 << 10
_RENEWALS_AFTER_EXPIRY = 3
_RENEWALS_AFTER_REFUSAL = 1

Taken = TypeVar("Taken")


class Link:
    """A presigned URL, and how to get another."""

    def __init__(self, ask: Callable[[], str], url: str | None = None) -> None:
        """Begin with ``url``, or with one that is asked for when it is needed."""
        self._ask = ask
        self._url = url
        self.renewals = 0

    @property
    def url(self) -> str:
        """The URL."""
        if self._url is None:
            self._url = self._ask()
        return self._url

    def renew(self) -> None:
        """Ask for another one."""
        self.renewals += 1
        self._url = self._ask()


class Patience:
    """How long an outage is waited for, with pauses that grow."""

    def __init__(self, retry_s: float) -> None:
        """Be patient for ``retry_s`` after the first failure."""
        self._retry_s = retry_s
        self.reset()

    def reset(self) -> None:
        """The store works: what fails later is another outage."""
        self._give_up_s: float | None = None
        self._pause_s = _FIRST_PAUSE_S

    def wait(self, error: StemsetError, advised_s: float = 0.0) -> None:
        """Wait before the next try.

        Args:
            error: Raised if there is no time for another try.
            advised_s: A pause that the store asks for.
        """
        now_s = time.monotonic()
        if self._give_up_s is None:
            self._give_up_s = now_s + self._retry_s
        left_s = self._give_up_s - now_s
        if left_s <= 0:
            raise error
        jittered_s = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads tries out
        time.sleep(min(max(jittered_s, advised_s), left_s))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, made anew for every try.

    Attributes:
        headers: HTTP headers.
        content: The body, nothing for a request without one.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] | None = None


class Transport:
    """Makes calls; any thread may."""

    def __init__(self, retry_s: float) -> None:
        """Repeat calls for up to ``retry_s``."""
        self._retry_s = retry_s
        # A connection a call: there are few calls, and none is kept that has to be closed.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(timeout=_TIMEOUT, limits=limits, follow_redirects=False)

    def call(
        self,
        method: str,
        what: str,
        link: Link,
        make: Callable[[], Body] = Body,
        take: Callable[[httpx.Response, Patience], Taken] = lambda response, _: response.read(),
    ) -> Taken:
        """Make a call until it succeeds.

        Args:
            method: HTTP method.
            what: What it is about, for messages.
            link: Where to.
            make: Makes what is sent, for every try.
            take: Takes what is answered; if the connection breaks meanwhile, the call is repeated.

        Raises:
            LinkExpired: Fresh links are expired as well.
            StorageRefused: The store refuses, with a fresh link as well.
            StorageUnavailable: The store did not answer for as long as is retried.
            ObjectNotFound: There is no such object.
            ObjectExists: There is one, and there must be none.
            ObjectCorrupt: It ends before the range that was asked for begins.
            NoSpace: A quota is exhausted.
        """
        patience = Patience(self._retry_s)
        while True:
            body = make()
            try:
                with self._client.stream(
                    method, link.url, headers=_headers(body), content=body.content
                ) as response:
                    if response.is_success:
                        return take(response, patience)
                    refused = _Refused.read(response, what, link.url)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise StorageRefused(f"The link for {what} is no link.") from error
            except httpx.TransportError as error:
                patience.wait(_unreachable(error, what))
            else:
                refused.settle(link, patience)


@dataclass(frozen=True, slots=True)
class _Refused:
    """An answer that is no success."""

    error: StemsetError
    passes: bool
    expired: bool
    advised_s: float

    @classmethod
    def read(cls, response: httpx.Response, what: str, url: str) -> "_Refused":
        text = next(response.iter_text(_ANSWER_BYTES), "")
        code, status = code_in(text), response.status_code
        return cls(
            error=refusal(status, code, what),
            passes=passes(status, code),
            # R2 says so with 400, AWS with 403 and these words, Ceph with 403 and no words.
            expired=(
                status in {httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN}
                and ("expired" in text.lower() or is_expired(url, datetime.now(UTC)))
            ),
            advised_s=advised_pause_s(response.headers, at_most_s=_LONGEST_ADVISED_PAUSE_S),
        )

    def settle(self, link: Link, patience: Patience) -> None:
        """Make the next try possible, or raise."""
        if self.passes:
            patience.wait(self.error, self.advised_s)
        elif self.expired and link.renewals >= _RENEWALS_AFTER_EXPIRY:
            raise LinkExpired(f"{self.error} The link had expired, and so had fresh ones.")
        elif self.expired or self._may_be_the_links_fault(link):
            link.renew()
        else:
            raise self.error

    def _may_be_the_links_fault(self, link: Link) -> bool:
        return isinstance(self.error, StorageRefused) and link.renewals < _RENEWALS_AFTER_REFUSAL


def _headers(body: Body) -> dict[str, str]:
    """What is sent is what is meant: nothing is compressed on its way."""
    return {"Accept-Encoding": "identity", **body.headers}


def _unreachable(error: httpx.TransportError, what: str) -> StorageUnavailable:
    reason = str(error).rstrip(".") or type(error).__name__
    return StorageUnavailable(f"The bucket is out of reach for {what}: {reason}.")
