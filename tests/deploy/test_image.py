"""The worker's image: what it holds, as whom it runs, how fast it is, and the work it does."""

import hashlib
import logging
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from container_image import PIP_SETTING, SECRET, Container, Image, script

from stemset import __version__
from stemset.orders import signing
from stemset.orders.messages import Order, OrderInput, OrderOutput, Status, parse_report
from stemset.storage.keys import attempt_folder, input_key
from stemset.storage.settings import StoreSettings

pytestmark = pytest.mark.slow
log = logging.getLogger(__name__)

PROFILE = "h4n"

BUCKET_OUT_OF_REACH = {
    "R2_BUCKET_NAME": "band",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "key",
    "STEMSET_S3_ENDPOINT": "http://127.0.0.1:9",
    "STEMSET_STORAGE_RETRY_S": "1",
}


@pytest.fixture(scope="module")
def facts(image: Image) -> dict[str, Any]:
    return image.facts()


def an_order(song: bytes) -> Order:
    folder = attempt_folder(PROFILE, "take_0123abcd", "0123abcd", 1)
    return Order(
        job_id="0123abcd",
        attempt=1,
        profile_name=folder.profile,
        output_name=folder.output_name,
        strategy_name="spleeter-2stems",
        strategy={"_": "spleeter-2stems", "vocals": "vocals"},
        fingerprint="f" * 64,
        input=OrderInput(
            key=input_key(PROFILE, "take.mp3"),
            name="take.mp3",
            sha256=hashlib.sha256(song).hexdigest(),
            bytes=len(song),
        ),
        output=OrderOutput.model_validate({"prefix": folder.prefix, "format": "opus"}),
        deadline=datetime.now(UTC) + timedelta(minutes=1),
    )


def wait_accepted(worker: Container) -> None:
    """Order something, and wait for the worker's first report of it."""
    body = an_order(b"a recording").model_dump_json().encode()
    headers = signing.sign((SECRET,), "0123abcd-1", body, time.time())
    headers["content-type"] = "application/json"
    with httpx.stream(
        "POST", f"{worker.url}/process", content=body, headers=headers, timeout=10, trust_env=False
    ) as answer:
        assert answer.status_code == httpx.codes.OK, answer.read()
        report = parse_report(next(answer.iter_lines()).encode())
    assert report.status is Status.ACCEPTED


def test_image_starts_this_version(image: Image):
    assert image.stemset("--version") == f"stemset {__version__}\n"


def test_image_holds_the_default_model(image: Image):
    assert "spleeter-2stems (installed)" in image.stemset("models", "list")


def test_image_runs_as_a_user_of_its_own(image: Image, facts: dict[str, Any]):
    assert (facts["uid"], facts["gid"]) == (10_001, 10_001)
    assert image.configuration()["User"] == "10001:10001"


def test_image_is_written_to_in_places_for_passing_files_alone(facts: dict[str, Any]):
    assert set(facts["writable"]) <= {"/tmp", "/var/tmp", "/run/lock"}  # noqa: S108 - of the image


def test_image_holds_nothing_that_builds(facts: dict[str, Any]):
    assert facts["builders"] == []
    assert {"stemset", "onnxruntime", "av"} <= set(facts["packages"])
    assert not {"onnx", "pip", "setuptools", "hatchling"} & set(facts["packages"])


def test_image_holds_no_setting_of_the_builder(image: Image, facts: dict[str, Any]):
    assert facts["traces"] == []
    assert PIP_SETTING not in image.inspection()


def test_image_beyond_its_size_budget_is_refused(image: Image):
    assert f"{image.name} adds " in image.report

    with pytest.raises(AssertionError, match="too large"):
        script("budget", "worker-cpu", image.name, "9")


def test_image_health_check_says_whether_the_worker_lives(image: Image, tmp_path: Path):
    with image.running(tmp_path, {}) as worker:
        worker.wait_ready()
        assert image.health(worker.port) == "0"

        assert worker.stop() == 0

        with socket.socket() as nobody:  # so that no other process answers at this port meanwhile
            nobody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            nobody.bind(("127.0.0.1", worker.port))
            assert image.health(worker.port) == "1"


def test_image_without_a_secret_is_refused_with_how_to_make_one(image: Image):
    with pytest.raises(AssertionError, match=r"STEMSET_WORKER_SECRET.*openssl rand"):
        script("run", image.name)


def test_image_takes_an_order_and_logs_how_long_its_start_took(image: Image, tmp_path: Path):
    with image.running(tmp_path, BUCKET_OUT_OF_REACH) as worker:
        worker.wait_ready()
        ready_s = time.monotonic() - worker.started_s

        wait_accepted(worker)

        accepted_s = time.monotonic() - worker.started_s
    log.info("ready after %.2f s, first order accepted after %.2f s", ready_s, accepted_s)


@pytest.mark.s3
def test_image_splits_what_the_command_line_orders(
    image: Image, bucket_settings: StoreSettings, example: Path, tmp_path: Path
):
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "take.mp3").write_bytes(example.read_bytes())
    (tmp_path / "config.yaml").write_text(
        f"profiles: [{{name: {PROFILE}, source_folder: recordings, remote: true,"
        " output: {format: flac}}]"
    )
    bucket = {
        "R2_BUCKET_NAME": bucket_settings.bucket,
        "R2_ACCESS_KEY_ID": bucket_settings.access_key_id,
        "R2_SECRET_ACCESS_KEY": bucket_settings.secret_access_key,
        "STEMSET_S3_ENDPOINT": bucket_settings.endpoint,
        "STEMSET_S3_REGION": bucket_settings.region,
    }

    with image.running(tmp_path, bucket) as worker:
        worker.wait_ready()
        orderer = {"STEMSET_WORKER_SECRET": SECRET, "GPU_WORKER_URL": worker.url}
        done = stemset(tmp_path, "process", PROFILE, **bucket, **orderer)

    assert done.returncode == 0, done.stderr + worker.log.read_text()
    (output,) = (tmp_path / "media" / PROFILE).iterdir()
    assert {"vocals.flac", "accompaniment.flac"} <= {file.name for file in output.iterdir()}
    verified = stemset(tmp_path, "verify", str(output), "recordings/take.mp3")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def stemset(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "stemset", *arguments],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
