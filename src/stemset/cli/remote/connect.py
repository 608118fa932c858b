"""The real ends: the bucket of the configuration, and the worker over HTTP."""

from collections.abc import Callable
from contextlib import suppress

from stemset.cli.remote.address import WorkerAddress
from stemset.cli.remote.connection import Connection, Links
from stemset.config import Settings, needed_store
from stemset.errors import StemsetError
from stemset.orders.remote import RemoteRunner
from stemset.storage.keys import AttemptFolder
from stemset.storage.links import LinkMaker
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store


def connect(settings: Settings, address: WorkerAddress) -> Connection:
    """Prepare both ends; nothing is asked of them yet.

    Raises:
        StorageNotConfigured: There is no bucket.
    """
    bucket = needed_store(settings)
    runner = RemoteRunner(address.url, address.secrets, patience_s=settings.worker_patience_s)
    return Connection(
        store=open_store(bucket),
        runner=runner,
        wake=lambda: _wake(runner),
        links=_link_maker(bucket) if settings.worker_links else None,
        worker_url=address.url,
        bucket=bucket,
    )


def _link_maker(bucket: StoreSettings) -> Callable[[str, AttemptFolder], Links]:
    return lambda input_key, folder: LinkMaker(bucket, input_key, folder)


async def _wake(runner: RemoteRunner) -> None:
    """Wake the worker. What goes wrong here, the order will meet, and report."""
    with suppress(StemsetError):
        await runner.wake()
