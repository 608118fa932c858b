"""What the process counts; ``routes/health`` shows it, together with what the ledger knows.

Whoever has something to count imports the counter.
"""

from prometheus_client import Counter, Gauge, Histogram

from stemset.errors import (
    ClockSkewed,
    EmailUnverified,
    Forbidden,
    NotAMember,
    OriginRefused,
    PairingRefused,
    ProviderUnavailable,
    SignatureInvalid,
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    Unauthenticated,
)
from stemset.jobs.uploads import Method
from stemset.metrics import REGISTRY
from stemset.orders.messages import Status

SIGN_IN_REFUSALS = (
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    EmailUnverified,
    NotAMember,
    ProviderUnavailable,
)

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
SIGN_INS = Counter(
    "stemset_sign_ins",
    "Sign-ins that ended, by how: signed_in, or the code of why not.",
    ["outcome"],
    registry=REGISTRY,
)
CALLBACKS = Counter(
    "stemset_callbacks",
    "Callbacks of workers that were believed, by what they report.",
    ["status"],
    registry=REGISTRY,
)
CALLBACKS_REFUSED = Counter(
    "stemset_callbacks_refused", "Callbacks that were not believed.", ["code"], registry=REGISTRY
)
EVENT_CLIENTS = Gauge("stemset_event_clients", "Open streams of events.", registry=REGISTRY)
UPLOADS_IN_FLIGHT = Gauge(
    "stemset_uploads_in_flight", "Bodies of uploads being received.", registry=REGISTRY
)
UPLOADS_COMPLETED = Counter(
    "stemset_uploads_completed",
    "Uploads that ended with a recording, by the way that they took.",
    ["method"],
    registry=REGISTRY,
)
UPLOADED_BYTES = Counter(
    "stemset_uploaded_bytes",
    "Length of the recordings that uploads ended with, by the way that they took.",
    ["method"],
    registry=REGISTRY,
)

# A series that begins at 1 shows no increase.
for _kind in (SignatureInvalid, ClockSkewed):
    CALLBACKS_REFUSED.labels(_kind.code)
for _kind in (Unauthenticated, Forbidden, OriginRefused, PairingRefused):
    REFUSED.labels(_kind.code)
for _kind in SIGN_IN_REFUSALS:
    SIGN_INS.labels(_kind.code)
SIGN_INS.labels("signed_in")
for _status in (Status.COMPLETE, Status.ERROR):
    CALLBACKS.labels(_status)
for _method in Method:
    UPLOADS_COMPLETED.labels(_method)
    UPLOADED_BYTES.labels(_method)
