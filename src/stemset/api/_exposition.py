"""What Prometheus is told: what the process counted, and what the ledger knows right now."""

import shutil
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from stemset import metrics
from stemset.api.service import Service
from stemset.dispatch.cost import Cost
from stemset.errors import DatabaseError
from stemset.jobs.database import Database
from stemset.jobs.figures import WAIT_BOUNDS_S, Figures, Split, Waits, figures
from stemset.jobs.job import State

_WITHIN_S = 5.0
_ENDS = (State.COMPLETE, State.ERROR, State.CANCELLED)


async def exposition(service: Service) -> bytes:
    """Put it all into Prometheus' words; without the ledger's part where that does not answer."""
    known = await _figures(service.database)
    families = [
        *_of_pool(service.database, is_up=known is not None),
        *_of_disk(service),
        *(_of_ledger(known) if known else ()),
        *(_of_costs(known, service.settings.monthly_caps) if known else ()),
    ]
    return metrics.exposition(families)


async def _figures(database: Database) -> Figures | None:
    try:
        async with database.reading(_WITHIN_S) as connection:
            return await figures(connection)
    except DatabaseError:
        return None


def _of_ledger(known: Figures) -> Iterator[Metric]:
    yield from _of_jobs(known.jobs)
    yield _gauge(
        "stemset_oldest_waiting_job_seconds",
        "Age of the oldest job that nobody computes yet, by queue; 0 if none waits.",
        ("queue",),
        {(queue,): age_s for queue, age_s in known.oldest_s.items()},
    )
    yield _of_waits(known.waits)
    yield _counter(
        "stemset_jobs_failed",
        "Jobs that ended in an error, by its code.",
        ("code",),
        {(code,): count for code, count in known.failed.items()},
    )
    yield _counter(
        "stemset_attempts_ended",
        "Attempts that ended, by queue, outcome and the error's code.",
        ("queue", "outcome", "code"),
        known.attempts,
    )
    yield _counter(
        "stemset_computing_seconds",
        "Computed, by all attempts together, by queue, profile and device.",
        ("queue", "profile", "device"),
        known.computing_s,
    )
    yield from _of_splits(known.splits)


def _of_costs(known: Figures, caps: Mapping[str, float]) -> Iterator[Metric]:
    yield _counter(
        "stemset_cost",
        "What was spent until now, by profile and currency.",
        ("profile", "currency"),
        {key: cost.amount for key, cost in known.spent.items()},
    )
    yield _counter(
        "stemset_awake_seconds",
        "What was paid for until now, by profile and what it went for.",
        ("profile", "part"),
        _parts(known.spent),
    )
    yield _gauge(
        "stemset_month_cost",
        "What orders of this month (UTC) cost, tails included, by profile and currency.",
        ("profile", "currency"),
        known.month,
    )
    yield _gauge(
        "stemset_month_cap",
        "What they may cost, by profile; of those that have a limit.",
        ("profile",),
        {(profile,): cap for profile, cap in caps.items()},
    )
    yield _gauge(
        "stemset_jobs_held",
        "Jobs that wait for money, by profile.",
        ("profile",),
        {(profile,): known.held.get(profile, 0) for profile in known.held.keys() | caps.keys()},
    )


def _parts(spent: Mapping[tuple[str, str], Cost]) -> dict[tuple[str, ...], float]:
    parts = dict[tuple[str, ...], float]()
    for (profile, _), cost in spent.items():
        for part, took_s in (
            ("start", cost.start_s),
            ("computing", cost.computing_s),
            ("tail", cost.tail_s),
        ):
            parts[profile, part] = parts.get((profile, part), 0.0) + took_s
    return parts


def _of_jobs(jobs: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    yield _gauge("stemset_jobs", "Jobs by queue and state.", ("queue", "state"), jobs)
    accepted: dict[tuple[str, ...], int] = {}
    for (queue, _), count in jobs.items():
        accepted[queue,] = accepted.get((queue,), 0) + count
    yield _counter("stemset_jobs_accepted", "Jobs ever taken, by queue.", ("queue",), accepted)
    ended = {(queue, state): count for (queue, state), count in jobs.items() if state in _ENDS}
    yield _counter(
        "stemset_jobs_ended", "Jobs that ended, by queue and end.", ("queue", "end"), ended
    )


def _of_waits(waits: Mapping[str, Waits]) -> Metric:
    family = HistogramMetricFamily(
        "stemset_job_wait_seconds",
        "From a job's acceptance to the begin of its first computation, by queue.",
        labels=["queue"],
    )
    bounds = [*(floatToGoString(bound_s) for bound_s in WAIT_BOUNDS_S), "+Inf"]
    for queue, each in waits.items():
        buckets = list(zip(bounds, accumulate(each.counts), strict=True))
        family.add_metric([queue], buckets, each.sum_s)
    return family


def _of_splits(splits: Mapping[tuple[str, str], Split]) -> Iterator[Metric]:
    labels = ("strategy", "device")
    yield _counter(
        "stemset_splits",
        "Jobs that were computed to their end, by strategy and device.",
        labels,
        {key: split.jobs for key, split in splits.items()},
    )
    yield _counter(
        "stemset_audio_seconds",
        "Recordings that were split, in length, by strategy and device.",
        labels,
        {key: split.audio_s for key, split in splits.items()},
    )
    yield _counter(
        "stemset_split_seconds",
        "What the attempts that won took, without transfers, by strategy and device.",
        labels,
        {key: split.took_s for key, split in splits.items()},
    )


def _of_pool(database: Database, *, is_up: bool) -> Iterator[Metric]:
    yield GaugeMetricFamily("stemset_database_up", "Whether the database answers.", is_up)
    yield GaugeMetricFamily(
        "stemset_database_connections_used", "Connections in use.", database.connections_used
    )
    yield GaugeMetricFamily(
        "stemset_database_connections_limit", "Connections at most.", database.connections_limit
    )


def _of_disk(service: Service) -> Iterator[Metric]:
    try:
        disk = shutil.disk_usage(service.settings.data)
    except OSError:
        return
    yield GaugeMetricFamily(
        "stemset_disk_free_bytes", "Free on the disk of the service's data folder.", disk.free
    )
    yield GaugeMetricFamily(
        "stemset_disk_size_bytes", "Size of the disk of the service's data folder.", disk.total
    )


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _counter(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[tuple[str, ...], float]
) -> Metric:
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
