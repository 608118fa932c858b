"""Fixtures of the storage tests: every backend, and R2's rules before the real S3 server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from r2_proxy import R2Proxy, r2_before

from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture
def r2_proxy(bucket_settings: StoreSettings) -> Iterator[R2Proxy]:
    """The S3 server as R2 would be; its calls can be made to go wrong."""
    with r2_before(bucket_settings.endpoint) as proxy:
        yield proxy


@pytest.fixture
def r2_settings(bucket_settings: StoreSettings, r2_proxy: R2Proxy) -> StoreSettings:
    """A bucket of the test's own behind R2's rules."""
    return replace(bucket_settings, endpoint=r2_proxy.endpoint)


@pytest.fixture(
    params=[
        "memory",
        "folder",
        pytest.param("s3", marks=pytest.mark.s3),
        pytest.param("r2", marks=pytest.mark.s3),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of every kind."""
    match request.param:
        case "memory":
            return open_store(StoreSettings("memory"))
        case "folder":
            return open_store(StoreSettings("folder", str(tmp_path / "store")))
        case "s3":
            return open_store(request.getfixturevalue("bucket_settings"))
        case _:
            return open_store(request.getfixturevalue("r2_settings"))
