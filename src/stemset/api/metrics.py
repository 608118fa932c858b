"""What the process counts; ``routes/health`` shows it, together with what the ledger knows.

One registry for the process, so that whoever has something to count imports the counter.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "stemset_http_requests", "Answered calls.", ["method", "route", "status"], registry=REGISTRY
)
LATENCY_S = Histogram(
    "stemset_http_request_seconds",
    "From a call's arrival to the begin of its answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
REFUSED = Counter(
    "stemset_refused",
    "Calls refused because of who makes them: tokens, origins, signatures.",
    ["code"],
    registry=REGISTRY,
)
CALLBACKS_REFUSED = Counter(
    "stemset_callbacks_refused", "Callbacks that were not believed.", ["code"], registry=REGISTRY
)
EVENT_CLIENTS = Gauge("stemset_event_clients", "Open streams of events.", registry=REGISTRY)
UPLOADS_IN_FLIGHT = Gauge(
    "stemset_uploads_in_flight", "Bodies of uploads being received.", registry=REGISTRY
)
