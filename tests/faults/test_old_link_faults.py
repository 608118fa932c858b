"""What becomes of a job whose links have expired when its worker, which has no keys, uses them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from r2_proxy import Kind, R2Proxy, r2_before
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes

from stemset.storage.settings import StoreSettings

pytestmark = [pytest.mark.slow, pytest.mark.s3]

EXPIRES_S = 6
"""How long a link is valid: less than a call that is late takes to reach the server."""

WITHOUT_KEYS = dict.fromkeys(
    ("R2_BUCKET_NAME", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "STEMSET_S3_ENDPOINT"), ""
)


@pytest.fixture
def way(bucket_settings: StoreSettings) -> Iterator[R2Proxy]:
    """The way to the real server, on which calls can be held up."""
    with r2_before(bucket_settings.endpoint) as proxy:
        yield proxy


@pytest.fixture
def deployment(
    tmp_path: Path,
    database_conninfo: str,
    bucket_settings: StoreSettings,
    way: R2Proxy,
    example: Path,
) -> Iterator[ServiceDeployment]:
    """A service whose links are short-lived, and a worker that has nothing else."""
    del example
    bucket = replace(bucket_settings, endpoint=way.endpoint)
    with service(tmp_path / "service", database_conninfo, bucket) as made:
        made.serve("--no-compute", STEMSET_WORKER_LINKS="1", STEMSET_LINK_EXPIRES_S=f"{EXPIRES_S}")
        made.worker(**WITHOUT_KEYS)
        yield made


def test_job_whose_links_are_old_when_they_are_used_is_done_with_fresh_ones(
    deployment: ServiceDeployment, way: R2Proxy, song: NDArray[np.float32]
) -> None:
    deployment.upload(Takes(song, seed=26).wav(), "old.wav", FAR)
    recording, stem, end = "/inputs/far/old.wav?", "/vocals.flac?", "/manifest.json?"
    way.fails(Kind.LATE, "GET", recording)
    for name in (stem, end):
        way.fails(Kind.LATE, "PUT", name)

    job_id = deployment.process("old.wav", FAR)

    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]
    # Each was refused by the server once: it takes eight seconds to get there, and six are granted.
    assert [fault.times for fault in way.faults] == [0, 0, 0]
    assert way.count("GET", recording) >= 2
    assert all(way.count("PUT", name) >= 2 for name in (stem, end))
