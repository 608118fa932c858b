"""What ``stemset doctor`` checks of a bucket: what jobs and the page do with it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

from stemset.config import Settings, needed_store
from stemset.errors import (
    ClockSkewed,
    ObjectCorrupt,
    StorageNotConfigured,
    StorageRefused,
    StorageUnavailable,
)
from stemset.orders.signing import TOLERANCE_S
from stemset.storage.settings import StoreSettings

if TYPE_CHECKING:
    import httpx

    from stemset.storage.store import Store

# Nobody waits a minute to be told that a bucket is not there.
_PATIENCE_S = 10.0
_FOLDER = ".stemset/doctor"


class BucketChecks:
    """The checks of a bucket; the first one says whether the others can be made.

    Attributes:
        answers: Whether there is a bucket that answers, be it with a refusal.
        can_be_used: Whether jobs can use it.
    """

    def __init__(self, settings: Settings) -> None:
        """Check nothing yet."""
        self.answers = True
        self.can_be_used = False
        self._settings = settings

    def use(self) -> str:
        """Write, read, list and remove an object, as jobs do."""
        try:
            said = _use(self._store)
        except (StorageNotConfigured, StorageUnavailable):
            self.answers = False
            raise
        self.can_be_used = True
        return said

    def compare_clocks(self) -> str:
        """Compare this machine's clock with the bucket's, which judges signatures by its own."""
        off_s = _clock_off_s(self._store)
        if off_s is None:
            return "the bucket does not tell its time"
        if abs(off_s) > TOLERANCE_S:
            when = "ahead of" if off_s > 0 else "behind"
            raise ClockSkewed(
                f"This machine's clock is {abs(off_s):.0f} s {when} the bucket's; {TOLERANCE_S} s "
                "are tolerated. Set it (NTP)."
            )
        return f"{abs(off_s):.0f} s apart; {TOLERANCE_S} s are tolerated"

    def let_the_page_in(self) -> str:
        """Ask the bucket as a browser does for the page, and put an object as the page does."""
        parts = urlsplit(self._settings.public_url or "")
        page = f"{parts.scheme}://{parts.netloc}"
        _check_cors(self._store, page)
        return f"{page} may read and write"

    @property
    def _store(self) -> StoreSettings:
        return needed_store(self._settings)


def _use(settings: StoreSettings) -> str:
    written = uuid4().bytes
    begun = time.perf_counter()
    with _trial_object(settings, written) as (store, key):
        if store.read(key) != written:
            raise ObjectCorrupt(f"{key} is not read as it was written.")
        if key not in {info.key for info in store.list_below(_FOLDER)}:
            raise ObjectCorrupt(f"{key} was written and is not listed.")
    spent_ms = (time.perf_counter() - begun) * 1000
    where = f" at {settings.endpoint}" if settings.endpoint else ""
    return f"{settings.bucket}{where}: written, read, listed and removed in {spent_ms:.0f} ms"


@contextmanager
def _trial_object(settings: StoreSettings, content: bytes = b"") -> Iterator[tuple["Store", str]]:
    """Write an object of a name that none has, and remove it in the end."""
    from stemset.storage.store import open_store  # noqa: PLC0415 - loads the engine

    patience_s = min(settings.retry_s, _PATIENCE_S)
    store = open_store(replace(settings, retry_s=patience_s))
    key = f"{_FOLDER}/{uuid4().hex}"
    store.write(key, content)
    try:
        yield store, key
    finally:
        store.delete([key])


def _clock_off_s(store: StoreSettings) -> float | None:
    """How far this machine's clock is ahead of the bucket's, to about a second."""
    import httpx  # noqa: PLC0415 - takes a while to import

    begun_s = time.time()
    try:
        with httpx.stream("GET", store.endpoint, timeout=_PATIENCE_S) as answer:
            told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):  # the check before has said what
        return None
    return (begun_s + time.time()) / 2 - told.timestamp()


def _check_cors(store: StoreSettings, page: str) -> None:
    import httpx  # noqa: PLC0415

    with _trial_object(store) as (bucket, key):
        wanted: dict[Literal["GET", "PUT"], str] = {"PUT": "content-type", "GET": "range"}
        try:
            for method, header in wanted.items():
                (url,) = bucket.sign(method, [key], expires_s=60)
                asked = {
                    "origin": page,
                    "access-control-request-method": method,
                    "access-control-request-headers": header,
                }
                allowed = httpx.options(url, headers=asked, timeout=_PATIENCE_S)
                _check_let_in(allowed, page, f"it may not {method}")
            (url,) = bucket.sign("PUT", [key], expires_s=60)
            put = httpx.put(url, content=b"", headers={"origin": page}, timeout=_PATIENCE_S)
        except httpx.HTTPError as error:
            raise StorageUnavailable(f"The bucket does not answer: {error}") from error
        shown = put.headers.get("access-control-expose-headers", "").lower()
        if "etag" not in shown and shown != "*":
            _refuse_page(page, "it may not read ETag")


def _check_let_in(answer: "httpx.Response", page: str, otherwise: str) -> None:
    let_in = answer.headers.get("access-control-allow-origin")
    if not answer.is_success or let_in not in {page, "*"}:
        _refuse_page(page, otherwise)


def _refuse_page(page: str, why: str) -> NoReturn:
    raise StorageRefused(
        f"The bucket does not let the page at {page} in: {why}. "
        "Set its CORS rules as docs/service.md gives them."
    )
