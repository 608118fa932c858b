"""The two ends that remote work goes to: the bucket and the worker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stemset.dispatch.connection import Connection
from stemset.storage.settings import StoreSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteConnection(Connection):
    """What remote work needs of the world.

    Attributes:
        wake: Wakes the worker, and returns when it is awake.
        worker_url: The worker's address, for messages.
        bucket: The bucket, for messages.
    """

    wake: Callable[[], Awaitable[None]]
    worker_url: str
    bucket: StoreSettings
