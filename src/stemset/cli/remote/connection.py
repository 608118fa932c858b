"""The two ends that remote work goes to: the bucket and the worker."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stemset.orders.runner import Runner
from stemset.storage.exchange import Wanted
from stemset.storage.keys import AttemptFolder
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store

_PAUSES_S = (1.0, 5.0)


class Links(Protocol):
    """Makes presigned links for one attempt."""

    def make(self, wanted: Sequence[Wanted]) -> Sequence[str]:
        """Make links, in order."""
        ...

    def abandon(self) -> None:
        """Drop what a failed attempt left half uploaded."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """What remote work needs of the world.

    Attributes:
        store: The bucket.
        runner: Carries orders out.
        wake: Wakes the worker, and returns when it is awake.
        worker_url: The worker's address, for messages.
        bucket: The bucket, for messages.
        links: Makes presigned links for a recording's key and an attempt's folder; None where the
            worker has keys of its own.
        pauses_s: Seconds to wait after the first and after every further failed attempt.
    """

    store: Store
    runner: Runner
    wake: Callable[[], Awaitable[None]]
    worker_url: str
    bucket: StoreSettings
    links: Callable[[str, AttemptFolder], Links] | None = None
    pauses_s: tuple[float, float] = _PAUSES_S
