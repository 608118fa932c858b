"""Opening a store: where it is, how long its calls may take, how often they are made."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from stemset.storage._obstore_errors import translated
from stemset.storage._sigv4 import check_endpoint
from stemset.storage.settings import StoreSettings

if TYPE_CHECKING:  # these are types only, and not there when the program runs
    from obstore.store import ClientConfig, RetryConfig

_CONNECT_S = 5.0
_SILENCE_S = 20.0
# reqwest counts silence from the moment a request is begun, so the time that the body takes to be
# sent is in it (seanmonstar/reqwest#2784). All parts in flight must get through within this: down
# to 110 kB/s they do. A connection on which nothing moves is given up after 30 s in any case
# (TCP_USER_TIMEOUT, as measured with the gateway frozen).
_UPLOAD_S = 300.0
_NO_LIMIT = timedelta(days=1)  # of a whole transfer: only silence counts
_MAX_RETRY_S = 600.0  # a signature is as old as its first try, and S3 takes it for 15 minutes
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


def open_clients(settings: StoreSettings) -> tuple[ObjectStore, ObjectStore]:
    """What to call, and what to upload with.

    Raises:
        StorageRefused: The endpoint is no address, or the folder cannot be used.
    """
    if settings.kind == "memory":
        memory = MemoryStore()
        return memory, memory
    if settings.kind == "folder":
        with translated(settings.bucket):
            folder = LocalStore(settings.bucket, mkdir=True)
        return folder, folder
    check_endpoint(settings.endpoint)
    return _bucket(settings, _SILENCE_S), _bucket(settings, _UPLOAD_S)


def retry_s(settings: StoreSettings) -> float:
    """How long a call is tried again."""
    return min(settings.retry_s, _MAX_RETRY_S)


def _bucket(settings: StoreSettings, silence_s: float) -> S3Store:
    """A bucket.

    obstore reads ``AWS_*`` variables where it is not told a value, so it is told every value that
    those of another program could change. The keys come from a function because an
    ``AWS_SESSION_TOKEN`` would be taken for theirs.
    """
    with translated(settings.bucket):
        return S3Store(
            settings.bucket,
            endpoint=settings.endpoint.rstrip("/"),
            aws_endpoint_url_s3=settings.endpoint.rstrip("/"),
            region=settings.region,
            virtual_hosted_style_request=False,
            skip_signature=False,
            unsigned_payload=False,
            request_payer=False,
            s3_express=False,
            conditional_put="etag",
            credential_provider=lambda: {
                "access_key_id": settings.access_key_id,
                "secret_access_key": settings.secret_access_key,
                "expires_at": None,
            },
            client_options=_client(settings, silence_s),
            retry_config=_retry(settings),
        )


def _client(settings: StoreSettings, silence_s: float) -> "ClientConfig":
    return {
        "allow_http": settings.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        "read_timeout": timedelta(seconds=silence_s),
        "timeout": _NO_LIMIT,
    }


def _retry(settings: StoreSettings) -> "RetryConfig":
    return {
        "backoff": {
            "init_backoff": timedelta(seconds=_FIRST_PAUSE_S),
            "max_backoff": timedelta(seconds=_LONGEST_PAUSE_S),
            "base": 2,
        },
        "max_retries": sys.maxsize,
        "retry_timeout": timedelta(seconds=retry_s(settings)),
    }
