"""What a failing bucket or disk leads to, end to end: faults really made."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment import Deployment, assert_split_once, ended, uploads
from s3_server import S3Server
from small_disks import mounted

pytestmark = [pytest.mark.s3, pytest.mark.slow]


@pytest.mark.parametrize("event", ["Downloading input", "Processing with", "Uploading"])
def test_gateway_frozen_for_a_while_is_ridden_out(
    deployment: Deployment, take: Path, s3_server: S3Server, event: str
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line(event)
    s3_server.freeze()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            command.wait(5)
    finally:
        s3_server.thaw()

    done = ended(command)

    assert done.code == 0, done.err
    assert [each["attempt"] for each in done.events("ordered")] == [1]
    assert_split_once(deployment, take)


def test_gateway_killed_and_started_again_loses_nothing(
    deployment: Deployment, take: Path, s3_server: S3Server
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line("Processing with")
    s3_server.stop_gateway()
    s3_server.start_gateway()

    done = ended(command)

    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_gateway_gone_for_long_fails_by_name_and_the_next_run_goes_on(
    deployment: Deployment, take: Path, s3_server: S3Server
) -> None:
    worker = deployment.worker(STEMSET_STORAGE_RETRY_S="2")
    command = deployment.start(worker.url, STEMSET_STORAGE_RETRY_S="2")
    worker.wait_line("Processing with")
    s3_server.stop_gateway()
    try:
        failed = ended(command)
    finally:
        s3_server.start_gateway()

    done = deployment.process(worker.url)

    assert failed.code == 5, failed.err
    assert "storage_unavailable" in failed.out + failed.err
    assert done.code == 0, done.err
    assert uploads(done) == []
    assert_split_once(deployment, take)


@pytest.fixture
def small_scratch(tmp_path: Path) -> Iterator[Path]:
    """A scratch disk of 1 MB, less than the recording needs."""
    with mounted(tmp_path / "scratch", "1m") as folder:
        yield folder


def test_scratch_that_is_full_is_named_and_recovers_when_there_is_space(
    deployment: Deployment, take: Path, small_scratch: Path
) -> None:
    worker = deployment.worker(STEMSET_SCRATCH_DIR=str(small_scratch))

    full = deployment.process(worker.url)
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_scratch)], check=True)
    done = deployment.process(worker.url)

    assert full.code == 1, full.err
    (error,) = full.events("error")
    assert error["code"] == "no_space"
    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_bucket_that_is_full_is_named_and_recovers_when_there_is_space(
    deployment: Deployment, take: Path, s3_server: S3Server
) -> None:
    worker = deployment.worker()
    s3_server.limit_bucket(deployment.bucket.bucket, take.stat().st_size // 2)
    full = deployment.process(worker.url)
    s3_server.limit_bucket(deployment.bucket.bucket, None)

    done = deployment.process(worker.url)

    assert full.code == 1, full.err
    (error,) = full.events("error")
    assert error["code"] == "no_space"
    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_secret_keys_that_are_wrong_say_what_to_check(deployment: Deployment, take: Path) -> None:
    worker = deployment.worker()

    done = deployment.process(worker.url, R2_SECRET_ACCESS_KEY="mistyped")  # noqa: S106

    assert take.exists()
    assert done.code == 5
    assert "storage_refused" in done.out + done.err
    assert "R2_SECRET_ACCESS_KEY" in done.out + done.err
    assert "mistyped" not in done.out + done.err
