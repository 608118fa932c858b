"""What ``stemset doctor`` checks of a deployment: it does what a job does, and leaves nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from stemset import __version__
from stemset.config import Settings, needed_store
from stemset.errors import (
    ObjectCorrupt,
    RemoteUnavailable,
    StorageRefused,
    StorageUnavailable,
    UnsupportedVersion,
)
from stemset.orders.address import WorkerAddress, check_address
from stemset.storage.settings import StoreSettings

if TYPE_CHECKING:
    import httpx

    from stemset.orders.remote import RemoteRunner, WorkerFacts
    from stemset.storage.store import Store

Check = Callable[[], str]
Answer = TypeVar("Answer")

# Nobody waits a minute to be told that a bucket is not there.
_STORAGE_PATIENCE_S = 10.0
_FOLDER = ".stemset/doctor"


def deployment_checks(settings: Settings, *, order: bool = False) -> Iterator[tuple[str, Check]]:
    """The checks of what is configured, or is needed by a profile that is.

    Args:
        settings: The configuration.
        order: Whether an order is to be carried out as well.

    Yields:
        A check's name, and what does it: it gives what was seen, or raises a ``StemsetError``.
    """
    is_remote = any(profile.remote for profile in settings.profiles.values())
    if is_remote or settings.store:
        yield "bucket", lambda: _bucket(needed_store(settings))
        if settings.backend_url:
            yield "bucket lets the page in", lambda: _cors(needed_store(settings), settings)
    if is_remote or settings.worker_url:
        yield "worker", partial(_worker, settings)
        yield "worker secret", partial(_worker_secret, settings)
    if order:
        yield "order", partial(_order, settings)
    if settings.database:
        yield "database", partial(_database, settings)


def _bucket(settings: StoreSettings) -> str:
    """Write, read, list and remove an object, as jobs do."""
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

    patience_s = min(settings.retry_s, _STORAGE_PATIENCE_S)
    store = open_store(replace(settings, retry_s=patience_s))
    key = f"{_FOLDER}/{uuid4().hex}"
    store.write(key, content)
    try:
        yield store, key
    finally:
        store.delete([key])


def _cors(store: StoreSettings, settings: Settings) -> str:
    """Ask the bucket as a browser does for the page, and put an object as the page does."""
    import httpx  # noqa: PLC0415 - takes a while to import

    parts = urlsplit(settings.backend_url or "")
    page = f"{parts.scheme}://{parts.netloc}"
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
                allowed = httpx.options(url, headers=asked, timeout=_STORAGE_PATIENCE_S)
                _check_let_in(allowed, page, f"it may not {method}")
            (url,) = bucket.sign("PUT", [key], expires_s=60)
            put = httpx.put(url, content=b"", headers={"origin": page}, timeout=_STORAGE_PATIENCE_S)
        except httpx.HTTPError as error:
            raise StorageUnavailable(f"The bucket does not answer: {error}") from error
        shown = put.headers.get("access-control-expose-headers", "").lower()
        if "etag" not in shown and shown != "*":
            _refuse_page(page, "it may not read ETag")
    return f"{page} may read and write"


def _check_let_in(answer: "httpx.Response", page: str, otherwise: str) -> None:
    let_in = answer.headers.get("access-control-allow-origin")
    if not answer.is_success or let_in not in {page, "*"}:
        _refuse_page(page, otherwise)


def _refuse_page(page: str, why: str) -> NoReturn:
    raise StorageRefused(
        f"The bucket does not let the page at {page} (BACKEND_URL) in: {why}. "
        "Set its CORS rules as docs/service.md gives them."
    )


def _worker(settings: Settings) -> str:
    """Wake the worker, and compare its version with this one."""
    address = _address(settings)
    begun = time.perf_counter()

    async def wake(runner: "RemoteRunner") -> "WorkerFacts":
        return await runner.wake()

    facts = _with_runner(settings, address, wake)
    if facts.version != __version__:
        raise UnsupportedVersion(
            f"The worker at {address.url} runs Stemset {facts.version or 'of no known version'}, "
            f"and this is {__version__}. Deploy the image of this version, or install that one."
        )
    spent_s = time.perf_counter() - begun
    return f"{address.url} was ready after {spent_s:.1f} s, and computes on {facts.device}"


def _worker_secret(settings: Settings) -> str:
    """Cancel a job that is none: a worker that does not know it has checked the signature."""
    address = _address(settings)
    job_id = f"doctor-{uuid4().hex}"
    _with_runner(settings, address, lambda runner: runner.cancel(job_id))
    if not address.secrets:
        return "none is needed on this machine"
    return "a signed call was accepted"


def _order(settings: Settings) -> str:
    from stemset.cli.trial_order import send_trial_order  # noqa: PLC0415 - loads most of the rest

    return send_trial_order(settings, _address(settings))


def _address(settings: Settings) -> WorkerAddress:
    if settings.worker_url is None:
        raise RemoteUnavailable(
            "No worker is configured: set gpu_worker_url in the configuration, or GPU_WORKER_URL."
        )
    return check_address(settings.worker_url, settings.worker_secrets)


def _with_runner(
    settings: Settings,
    address: WorkerAddress,
    call: Callable[["RemoteRunner"], Awaitable[Answer]],
) -> Answer:
    from stemset.orders.remote import RemoteRunner  # noqa: PLC0415 - loads the HTTP client

    async def run() -> Answer:
        patience_s = settings.worker_patience_s
        runner = RemoteRunner(address.url, address.secrets, patience_s=patience_s)
        try:
            return await call(runner)
        finally:
            await runner.close()

    return asyncio.run(run())


def _database(settings: Settings) -> str:
    from stemset.jobs.migrate import HEAD, is_up_to_date  # noqa: PLC0415 - loads the driver

    url = settings.database_url or ""
    if is_up_to_date(url):
        return f"reached; its schema is that of this version ({HEAD})"
    return f"reached; `stemset serve` will bring its schema up to {HEAD} when it starts"
