"""What a process counts that works jobs off, a service or a consumer."""

from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from stemset.errors import WorkerBusy, WorkerFailed, WorkerRefused, WorkerUnreachable
from stemset.jobs.job import Queue
from stemset.metrics import REGISTRY
from stemset.storage.calls import calls_failed, calls_made

JOBS_FOLLOWED = Gauge(
    "stemset_jobs_followed",
    "Jobs that this process follows right now, by queue.",
    ["queue"],
    registry=REGISTRY,
)
WAKE_S = Histogram(
    "stemset_wake_seconds",
    "From an order that found the worker asleep to its first sign of life.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 600),
    registry=REGISTRY,
)
WAKES_FAILED = Counter(
    "stemset_wakes_failed",
    "Times that the worker was waited for in vain, by the error's code.",
    ["code"],
    registry=REGISTRY,
)


class _StorageCalls(Collector):
    """The calls to stores that this process made."""

    def collect(self) -> Iterator[Metric]:
        made = CounterMetricFamily(
            "stemset_storage_calls", "Calls to the store, by operation.", labels=["operation"]
        )
        for operation, count in sorted(calls_made().items()):
            made.add_metric([operation], count)
        yield made
        failed = CounterMetricFamily(
            "stemset_storage_errors",
            "Calls to the store that failed, tries and all, by operation and the error's code.",
            labels=["operation", "code"],
        )
        for (operation, code), count in sorted(calls_failed().items()):
            failed.add_metric([operation, code], count)
        yield failed


REGISTRY.register(_StorageCalls())

# A series that begins at 1 shows no increase.
for _kind in (WorkerUnreachable, WorkerBusy, WorkerRefused, WorkerFailed):
    WAKES_FAILED.labels(_kind.code)
for _queue in Queue:
    JOBS_FOLLOWED.labels(_queue)
