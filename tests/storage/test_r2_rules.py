"""That the server of the tests refuses what R2 refuses: one that takes all proves nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from r2_proxy import Kind, R2Proxy

from stemset.storage._sigv4 import presign
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

pytestmark = pytest.mark.s3


def call(
    settings: StoreSettings,
    method: str,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    content: bytes = b"content",
    age_s: int = 0,
    expires_s: int = 60,
) -> tuple[int, str]:
    """Make a presigned call for the key `a/b`; returns status and body."""
    now = datetime.now(UTC) - timedelta(seconds=age_s)
    url = presign(settings, method, "a/b", query or {}, expires_s=expires_s, now=now)
    answer = httpx.request(method, url, content=content, headers=headers, trust_env=False)
    return answer.status_code, answer.text


def test_plain_call_is_passed_on(r2_settings: StoreSettings) -> None:
    assert call(r2_settings, "PUT")[0] == 200
    assert call(r2_settings, "GET") == (200, "content")


@pytest.mark.parametrize(
    "header",
    [
        {"x-amz-acl": "private"},
        {"x-amz-tagging": "a=b"},
        {"x-amz-server-side-encryption": "aws:kms"},
        {"x-amz-object-lock-mode": "GOVERNANCE"},
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
    ],
    ids=lambda header: next(iter(header)),
)
def test_header_that_r2_does_not_know_is_refused(
    r2_settings: StoreSettings, header: Mapping[str, str]
) -> None:
    status, text = call(r2_settings, "PUT", headers=header)

    assert (status, "NotImplemented" in text) == (501, True)


def test_form_is_refused(r2_settings: StoreSettings) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}

    assert call(r2_settings, "POST", headers=form)[0] == 501


def test_completion_with_a_condition_is_refused(r2_settings: StoreSettings) -> None:
    status, _ = call(r2_settings, "POST", {"uploadId": "x"}, {"If-None-Match": "*"})

    assert status == 501


def test_expired_link_is_400(r2_settings: StoreSettings) -> None:
    status, text = call(r2_settings, "PUT", age_s=61)

    assert (status, "ExpiredRequest" in text) == (400, True)


def test_link_for_more_than_a_week_is_refused(r2_settings: StoreSettings) -> None:
    assert call(r2_settings, "PUT", expires_s=7 * 24 * 3600 + 1)[0] == 400


def test_body_over_the_limit_is_refused(r2_settings: StoreSettings, r2_proxy: R2Proxy) -> None:
    r2_proxy.rules.max_put_bytes = 6

    status, text = call(r2_settings, "PUT")

    assert (status, "EntityTooLarge" in text) == (400, True)


@pytest.mark.alone
def test_second_write_within_a_second_is_refused(r2_settings: StoreSettings) -> None:
    assert call(r2_settings, "PUT")[0] == 200
    assert call(r2_settings, "PUT")[0] == 429


def test_part_beyond_10000_is_refused(r2_settings: StoreSettings) -> None:
    assert call(r2_settings, "PUT", {"uploadId": "x", "partNumber": "10001"})[0] == 400


def test_upload_that_nobody_began_is_not_there(r2_settings: StoreSettings) -> None:
    status, text = call(r2_settings, "POST", {"uploadId": "x"})

    assert (status, "NoSuchUpload" in text) == (404, True)


def test_bit_is_flipped_when_asked_for(r2_settings: StoreSettings, r2_proxy: R2Proxy) -> None:
    open_store(r2_settings).write("a/b", bytes(1000))
    r2_proxy.fails(Kind.FLIPPED_BIT, "GET")

    wrong = open_store(r2_settings).read("a/b")

    assert len(wrong) == 1000
    assert sum(each.bit_count() for each in wrong) == 1
    assert open_store(r2_settings).read("a/b") == bytes(1000)
