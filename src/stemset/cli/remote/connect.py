"""The real ends: the bucket of the configuration, and the worker over HTTP."""

import asyncio
from collections.abc import Callable

import httpx

from stemset.cli.remote.address import WorkerAddress
from stemset.cli.remote.connection import Connection, Links
from stemset.config import Settings, needed_store
from stemset.orders.remote import RemoteRunner
from stemset.storage.keys import AttemptFolder
from stemset.storage.links import LinkMaker
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

_WAKE_TIMEOUT_S = 60.0
_WAKE_PAUSE_S = 2.0


def connect(settings: Settings, address: WorkerAddress) -> Connection:
    """Prepare both ends; nothing is asked of them yet.

    Raises:
        StorageNotConfigured: There is no bucket.
    """
    bucket = needed_store(settings)
    return Connection(
        store=open_store(bucket),
        runner=RemoteRunner(address.url, address.secrets, patience_s=settings.worker_patience_s),
        wake=lambda: _wake(address.url),
        links=_link_maker(bucket) if settings.worker_links else None,
        worker_url=address.url,
        bucket=bucket,
    )


def _link_maker(bucket: StoreSettings) -> Callable[[str, AttemptFolder], Links]:
    return lambda input_key, folder: LinkMaker(bucket, input_key, folder)


async def _wake(url: str) -> None:
    """Ask until the worker is ready. What goes wrong here, the order will meet, and report."""
    async with httpx.AsyncClient(timeout=_WAKE_TIMEOUT_S) as client:
        while True:
            try:
                if (await client.get(f"{url}/readyz")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(_WAKE_PAUSE_S)
