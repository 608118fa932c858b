"""The real ends: the bucket of the configuration, and the worker over HTTP."""

from contextlib import suppress

from stemset.cli.remote.connection import RemoteConnection
from stemset.config import Settings, needed_store
from stemset.dispatch.connection import links_to
from stemset.errors import StemsetError
from stemset.orders.address import WorkerAddress
from stemset.orders.remote import RemoteRunner
from stemset.storage.store import open_store


def connect(settings: Settings, address: WorkerAddress) -> RemoteConnection:
    """Prepare both ends; nothing is asked of them yet.

    Raises:
        StorageNotConfigured: There is no bucket.
    """
    bucket = needed_store(settings)
    runner = RemoteRunner(address.url, address.secrets, patience_s=settings.worker_patience_s)
    return RemoteConnection(
        store=open_store(bucket),
        runner=runner,
        wake=lambda: _wake(runner),
        links=links_to(bucket, settings.link_expires_s) if settings.worker_links else None,
        worker_url=address.url,
        bucket=bucket,
    )


async def _wake(runner: RemoteRunner) -> None:
    """Wake the worker. What goes wrong here, the order will meet, and report."""
    with suppress(StemsetError):
        await runner.wake()
