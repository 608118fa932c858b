import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from stemset.errors import StorageRefused
from stemset.storage._sigv4 import check_endpoint, is_expired, presign
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

# The example of the S3 API reference, with the bucket in the path: there it is in the host.
EXAMPLE = StoreSettings(
    kind="s3",
    bucket="test.txt",
    endpoint="https://examplebucket.s3.amazonaws.com",
    region="us-east-1",
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106 - the example's
)
EXAMPLE_TIME = datetime(2013, 5, 24, tzinfo=UTC)
EXAMPLE_SIGNATURE = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
ODD_KEY = "inputs/h4n/Übung 3 + (live) & [x] ~日本語🎸'!.wav"


def test_presign_of_the_references_example_has_its_signature() -> None:
    url = presign(EXAMPLE, "GET", "", {}, expires_s=86_400, now=EXAMPLE_TIME)

    assert url.startswith("https://examplebucket.s3.amazonaws.com/test.txt?")
    assert parse_qs(urlsplit(url).query)["X-Amz-Signature"] == [EXAMPLE_SIGNATURE]


@pytest.mark.parametrize("key", ["a", "a/b c", ODD_KEY])
def test_presign_makes_the_url_that_obstore_makes(key: str) -> None:
    (theirs,) = open_store(EXAMPLE).sign("PUT", [key], expires_s=600)
    stamp = parse_qs(urlsplit(theirs).query)["X-Amz-Date"][0]
    now = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    ours = presign(EXAMPLE, "PUT", key, {}, expires_s=600, now=now)

    assert urlsplit(ours).path == urlsplit(theirs).path
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs).query)


@pytest.mark.s3
def test_presigned_call_with_odd_key_and_query_is_taken(bucket_settings: StoreSettings) -> None:
    open_store(bucket_settings).write(ODD_KEY, b"content")
    query = {"response-content-disposition": 'attachment; filename="ü + & =.wav"', "a b": ""}

    url = presign(bucket_settings, "GET", ODD_KEY, query, expires_s=60, now=datetime.now(UTC))
    answer = httpx.get(url, trust_env=False)

    assert (answer.status_code, answer.content) == (200, b"content")


@pytest.mark.s3
def test_presigned_call_that_was_changed_is_refused(bucket_settings: StoreSettings) -> None:
    open_store(bucket_settings).write("a", b"content")
    url = presign(bucket_settings, "GET", "a", {}, expires_s=60, now=datetime.now(UTC))

    longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")

    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.get(longer, trust_env=False).status_code == 403


@pytest.mark.parametrize(("age_s", "expired"), [(0, False), (59, False), (60, True), (3600, True)])
def test_is_expired_reads_the_url(age_s: int, expired: bool) -> None:
    url = presign(EXAMPLE, "GET", "a", {}, expires_s=60, now=EXAMPLE_TIME)

    assert is_expired(url, datetime.fromtimestamp(EXAMPLE_TIME.timestamp() + age_s, UTC)) is expired


@pytest.mark.parametrize("url", ["https://bucket/a", "https://bucket/a?X-Amz-Date=x", ""])
def test_is_expired_of_a_url_that_does_not_say_is_false(url: str) -> None:
    assert not is_expired(url, EXAMPLE_TIME)


@pytest.mark.parametrize(
    "endpoint", ["", "bucket", "ftp://host", "https://", "https://host/bucket", "https:///x"]
)
def test_endpoint_that_is_no_address_is_refused_by_name(endpoint: str) -> None:
    with pytest.raises(StorageRefused, match=re.escape(repr(endpoint))):
        check_endpoint(endpoint)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "https://a.r2.example/"])
def test_endpoint_that_is_an_address_is_taken(endpoint: str) -> None:
    check_endpoint(endpoint)
