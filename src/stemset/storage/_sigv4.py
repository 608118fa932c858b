"""Presigned S3 URLs of calls that obstore does not sign: parts of an upload, its begin and its end.

AWS Signature Version 4 in the query, over the host alone, with the bucket in the path.

Source: "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" in the S3 API
reference; its example is in ``tests/storage/test_sigv4.py``, as is that obstore signs alike.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from stemset.errors import StorageRefused
from stemset.storage.settings import StoreSettings

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"


def check_endpoint(endpoint: str) -> None:
    """Make sure that an endpoint is an address and nothing more. Raises StorageRefused."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
        raise StorageRefused(
            f"The endpoint {endpoint!r} must be http:// or https:// and a host, without a path: "
            "check STEMSET_S3_ENDPOINT. The bucket's name is told apart (R2_BUCKET_NAME)."
        )


def presign(
    settings: StoreSettings,
    method: str,
    key: str,
    query: Mapping[str, str],
    *,
    expires_s: int,
    now: datetime,
) -> str:
    """Make a presigned URL.

    Args:
        settings: The bucket and its keys.
        method: HTTP method.
        key: The object; empty for the bucket itself.
        query: Parameters of the call, for example ``partNumber``.
        expires_s: How long it is valid, 1 s to 7 days.
        now: The time, in UTC.
    """
    endpoint = settings.endpoint.rstrip("/")
    path = quote(f"/{settings.bucket}/{key}" if key else f"/{settings.bucket}")
    stamp = now.astimezone(UTC).strftime(_STAMP)
    scope = f"{stamp[:8]}/{settings.region}/s3/aws4_request"
    signed = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{settings.access_key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    text = "&".join(f"{_escaped(name)}={_escaped(signed[name])}" for name in sorted(signed))
    host = urlsplit(endpoint).netloc
    request = "\n".join((method, path, text, f"host:{host}\n", "host", "UNSIGNED-PAYLOAD"))
    digest = hashlib.sha256(request.encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    signature = _signature(settings.secret_access_key, scope, to_sign)
    return f"{endpoint}{path}?{text}&X-Amz-Signature={signature}"


def is_expired(url: str, now: datetime) -> bool:
    """Whether a presigned URL says that it is no longer valid."""
    query = parse_qs(urlsplit(url).query)
    try:
        begins = datetime.strptime(query["X-Amz-Date"][0], _STAMP).replace(tzinfo=UTC)
        lasts_s = int(query["X-Amz-Expires"][0])
    except (KeyError, ValueError):
        return False
    return now >= begins + timedelta(seconds=lasts_s)


def _signature(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _escaped(text: str) -> str:
    return quote(text, safe="")
