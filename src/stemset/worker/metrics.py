"""What the worker counts."""

from prometheus_client import Counter, Gauge

from stemset.metrics import REGISTRY

READY = Gauge(
    "stemset_worker_ready", "Whether the computing process can take an order.", registry=REGISTRY
)
BUSY = Gauge("stemset_worker_busy", "Whether an order is being carried out.", registry=REGISTRY)
ORDERS = Counter(
    "stemset_worker_orders",
    "Orders that came, by what was done with them.",
    ["answer"],
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "stemset_worker_attempts",
    "Attempts that ended, by their last report and its error's code.",
    ["status", "code"],
    registry=REGISTRY,
)
COMPUTING_S = Counter(
    "stemset_worker_computing_seconds",
    "What attempts took, from their order to their last report, by device.",
    ["device"],
    registry=REGISTRY,
)
SIGNATURES_REFUSED = Counter(
    "stemset_worker_signatures_refused",
    "Calls that were not signed as they must be, by the error's code.",
    ["code"],
    registry=REGISTRY,
)
CALLBACKS = Counter(
    "stemset_worker_callbacks",
    "Last reports that were called back with, by whether they were taken.",
    ["end"],
    registry=REGISTRY,
)
CALLBACK_TRIES = Counter(
    "stemset_worker_callback_tries",
    "Calls that were made for them, by the answer's class.",
    ["answer"],
    registry=REGISTRY,
)

# A series that begins at 1 shows no increase.
for _answer in ("accepted", "joined", "busy", "refused", "stopping"):
    ORDERS.labels(_answer)
ATTEMPTS.labels("complete", "")
for _device in ("cpu", "cuda"):
    COMPUTING_S.labels(_device)
for _code in ("signature_invalid", "clock_skewed"):
    SIGNATURES_REFUSED.labels(_code)
for _end in ("taken", "given_up"):
    CALLBACKS.labels(_end)
for _answer in ("2xx", "3xx", "4xx", "5xx", "none"):
    CALLBACK_TRIES.labels(_answer)
