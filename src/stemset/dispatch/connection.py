"""The two ends of an attempt: the bucket, and whoever carries orders out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stemset.orders.runner import Runner
from stemset.storage.exchange import Wanted
from stemset.storage.keys import AttemptFolder
from stemset.storage.links import LinkMaker
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


MakesLinks = Callable[[str, AttemptFolder], Links]
"""Opens the links of an attempt, for a recording's key and the attempt's folder."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What an attempt needs of the world.

    Attributes:
        store: The bucket.
        runner: Carries orders out.
        links: Makes presigned links for a recording's key and an attempt's folder; None where the
            worker has keys of its own.
        pauses_s: Seconds to wait after the first and after every further failed attempt.
    """

    store: Store
    runner: Runner
    links: MakesLinks | None = field(default=None, kw_only=True)
    pauses_s: tuple[float, float] = field(default=_PAUSES_S, kw_only=True)


def links_to(bucket: StoreSettings, expires_s: int) -> MakesLinks:
    """Links into a bucket, valid so long, for a worker that has no keys to it."""
    return lambda input_key, folder: LinkMaker(bucket, input_key, folder, expires_s=expires_s)
