"""What a process counts, in Prometheus' words: the one registry, and who may read it.

Each room that has something to count adds it to ``REGISTRY`` in a module of its own, so a process
shows what it can count and nothing else. No label holds an id, a file's name or a token: of these
there is no end.
"""

import hmac
from collections.abc import Iterable, Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from stemset import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what ``exposition`` gives."""

disable_created_metrics()  # when each series began would be as many series again

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # memory, descriptors, CPU time, start: on Linux

_BUILD = Gauge(
    "stemset_build_info", "The Stemset that runs: always 1.", ["version"], registry=REGISTRY
)
_BUILD.labels(__version__).set(1)


def exposition(more: Iterable[Metric] = ()) -> bytes:
    """All that the process counts.

    Args:
        more: What is known by other means, such as a database.
    """
    return generate_latest(_Both(more))


def may_read(authorization: str | None, token: str | None) -> bool:
    """Whether a call carries the token that metrics are read with.

    Args:
        authorization: The call's ``Authorization``.
        token: The token, ``STEMSET_METRICS_TOKEN``; None lets nobody read.
    """
    if token is None or authorization is None:
        return False
    kind, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return kind.casefold() == "bearer" and same


class _Both(CollectorRegistry):
    """The process's registry, and more."""

    def __init__(self, more: Iterable[Metric]) -> None:
        super().__init__()
        self._more = more

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from self._more
