"""What Prometheus is told: what the process counted, and what the ledger knows right now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import func, select

from stemset.api.metrics import REGISTRY
from stemset.errors import DatabaseError
from stemset.jobs import tables
from stemset.jobs.database import Database

_WITHIN_S = 5.0
_ENDS = ("complete", "error", "cancelled")


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the ledger knows."""

    by_state: dict[str, int]
    computing_s: float
    audio_s: float


async def exposition(database: Database) -> bytes:
    """Put it all into Prometheus' words; without the ledger's part where that does not answer."""
    try:
        counts = await _count(database)
    except DatabaseError:
        counts = None
    families = [
        *_of_pool(database, is_up=counts is not None),
        *(_of_ledger(counts) if counts else ()),
    ]
    return generate_latest(_Both(families))


class _Both(CollectorRegistry):
    """The process's registry, and more."""

    def __init__(self, more: Iterable[Metric]) -> None:
        super().__init__()
        self._more = more

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from self._more


async def _count(database: Database) -> _Counts:
    state = tables.jobs.c.state
    used = tables.usage.c
    async with database.reading(_WITHIN_S) as connection:
        states = await connection.execute(select(state, func.count()).group_by(state))
        by_state = {row[0]: row[1] for row in states}
        spent = select(func.coalesce(func.sum(tables.attempts.c.computing_s), 0.0))
        computing_s = (await connection.execute(spent)).scalar_one()
        made = select(func.coalesce(func.sum(used.audio_s), 0.0))
        audio_s = (await connection.execute(made)).scalar_one()
    return _Counts(by_state, computing_s, audio_s)


def _of_ledger(counts: _Counts) -> Iterator[Metric]:
    states = GaugeMetricFamily("stemset_jobs", "Jobs in each state.", labels=["state"])
    for state, count in counts.by_state.items():
        states.add_metric([state], count)
    yield states
    accepted = sum(counts.by_state.values())
    yield CounterMetricFamily("stemset_jobs_accepted", "Jobs ever taken.", accepted)
    ends = CounterMetricFamily("stemset_jobs_ended", "Jobs that ended.", labels=["end"])
    for end in _ENDS:
        ends.add_metric([end], counts.by_state.get(end, 0))
    yield ends
    yield CounterMetricFamily(
        "stemset_computing_seconds", "Computed, by all attempts together.", counts.computing_s
    )
    yield CounterMetricFamily(
        "stemset_audio_seconds", "Recordings that were split, in length.", counts.audio_s
    )


def _of_pool(database: Database, *, is_up: bool) -> Iterator[Metric]:
    yield GaugeMetricFamily("stemset_database_up", "Whether the database answers.", is_up)
    yield GaugeMetricFamily(
        "stemset_database_connections_used", "Connections in use.", database.connections_used
    )
    yield GaugeMetricFamily(
        "stemset_database_connections_limit", "Connections at most.", database.connections_limit
    )
