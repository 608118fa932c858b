"""What each check of `stemset doctor` says of a real bucket, worker and database.

Whole deployments that are broken are in ``test_doctor_broken``.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psycopg
import pytest
from cors_rules import allow, documented_rules
from deployment import CONFIG, Worker, environment, free_port
from ledger_database import LedgerDatabases
from program import Stemset
from running_parts import wait_for
from s3_server import S3Server

from stemset import __version__
from stemset.cli import worker_checks
from stemset.cli.deployment import deployment_checks
from stemset.config import load_settings
from stemset.errors import StemsetError
from stemset.orders import remote
from stemset.pipeline.networks import Networks
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

OTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3RzLW9ubHk="

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> StoreSettings:
    s3_server.mend()
    return s3_server.new_bucket()


@pytest.fixture(scope="module")
def worker(bucket: StoreSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(environment(bucket), tmp_path_factory.mktemp("worker") / "log")
    yield worker.wait_ready()
    worker.kill()


class Doctor:
    """Checks the deployment, with some of its environment changed."""

    def __init__(self, folder: Path, bucket: StoreSettings, worker: Worker) -> None:
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG)
        self.sound = environment(bucket, GPU_WORKER_URL=worker.url)

    def findings(self, *, order: bool = False, **changes: str | None) -> dict[str, str]:
        """What was found, by the check's name: what was seen, or the error and its code."""
        changed = {**self.sound, **changes}
        environ = {name: value for name, value in changed.items() if value is not None}
        found: dict[str, str] = {}
        for name, check in deployment_checks(load_settings(self.config, environ), order=order):
            try:
                found[name] = f"ok {check()}"
            except StemsetError as error:
                found[name] = f"{error.code} {error}"
        return found

    def wrong(self, **changes: str | None) -> dict[str, str]:
        """What is not as it should be."""
        found = self.findings(order=False, **changes)
        return {name: said for name, said in found.items() if not said.startswith("ok ")}


@pytest.fixture
def doctor(tmp_path: Path, bucket: StoreSettings, worker: Worker) -> Doctor:
    return Doctor(tmp_path, bucket, worker)


def test_sound_deployment_is_found_in_order_and_left_as_it_was(
    doctor: Doctor, bucket: StoreSettings, worker: Worker, database_conninfo: str
) -> None:
    found = doctor.findings(DATABASE_URL=database_conninfo)

    lines = ["bucket", "bucket clock", "worker", "worker secret"]
    assert list(found) == [
        *lines,
        "worker disk",
        "worker models",
        "worker computing",
        "database",
    ]
    assert found["bucket"].startswith(f"ok {bucket.bucket} at {bucket.endpoint}: written, read")
    assert found["worker"].startswith(f"ok {worker.url} was ready after")
    assert found["worker"].endswith("computes on cpu")
    assert found["worker secret"] == "ok a signed call was accepted"
    assert found["bucket clock"].endswith("s apart; 300 s are tolerated")
    assert found["worker disk"].endswith("GB free in the worker's scratch folder")
    assert found["worker models"] == "ok spleeter-2stems are there, whole, and allowed"
    assert found["worker computing"].startswith("ok spleeter-2stems on cpu, ")
    assert found["worker computing"].endswith(" times as fast as the music plays")
    assert found["database"].startswith("ok reached; its schema is that of this version")
    assert list(open_store(bucket).list_below(".stemset")) == []


def test_order_goes_the_whole_way_and_leaves_nothing(
    doctor: Doctor, bucket: StoreSettings, worker: Worker, networks: Networks
) -> None:
    del networks  # the model is what the worker needs
    for _ in range(2):
        said = doctor.findings(order=True)["order"]

        assert said.startswith("ok a second of sound came back as vocals, accompaniment after")
        assert said.endswith("on cpu; the stems add up")
    assert len(worker.lines("Attempt ended")) >= 2
    assert list(open_store(bucket).list_below("")) == []


def test_order_that_fails_says_why(doctor: Doctor) -> None:
    wrong = doctor.findings(order=True, STEMSET_WORKER_SECRET=OTHER_SECRET)

    assert wrong["order"].startswith("worker_refused ")


def test_nothing_is_checked_of_what_is_not_configured(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("profiles: [{name: here, source_folder: takes}]")

    assert list(deployment_checks(load_settings(config, {}))) == []


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"R2_BUCKET_NAME": "no-such-bucket"}, "storage_refused", "check R2_BUCKET_NAME"),
        (
            {"R2_SECRET_ACCESS_KEY": "wrong"},
            "storage_refused",
            "check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY",
        ),
        ({"R2_ACCESS_KEY_ID": "nobody"}, "storage_refused", "check R2_ACCESS_KEY_ID"),
        (
            {
                "R2_BUCKET_NAME": None,
                "R2_ACCESS_KEY_ID": None,
                "R2_SECRET_ACCESS_KEY": None,
                "STEMSET_S3_ENDPOINT": None,
                "STEMSET_S3_REGION": None,
            },
            "storage_not_configured",
            "Set R2_BUCKET_NAME",
        ),
    ],
    ids=["bucket", "secret key", "key", "none"],
)
def test_bucket_that_cannot_be_used_is_named_with_what_to_check(
    doctor: Doctor, changes: dict[str, str | None], code: str, told: str
) -> None:
    wrong = doctor.wrong(**changes)

    assert list(wrong) == ["bucket"]
    assert wrong["bucket"].startswith(f"{code} ")
    assert told in wrong["bucket"]


def test_bucket_that_is_not_there_is_said_within_seconds(doctor: Doctor) -> None:
    begun = time.monotonic()

    wrong = doctor.wrong(STEMSET_S3_ENDPOINT=f"http://127.0.0.1:{free_port()}")

    assert list(wrong) == ["bucket"]
    assert wrong["bucket"].startswith("storage_unavailable ")
    assert time.monotonic() - begun < 30


def test_bucket_that_is_full_is_said(doctor: Doctor, s3_server: S3Server) -> None:
    full = s3_server.new_bucket()
    s3_server.limit_bucket(full.bucket, 1)

    wrong = doctor.wrong(R2_BUCKET_NAME=full.bucket)

    assert list(wrong) == ["bucket"]
    assert wrong["bucket"].startswith("no_space ")


def test_page_that_the_bucket_does_not_let_in_is_said(doctor: Doctor, s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket()
    page = "https://stems.band"
    changes = {"R2_BUCKET_NAME": bucket.bucket, "BACKEND_URL": f"{page}/"}

    def said() -> str:
        return doctor.findings(order=False, **changes)["bucket lets the page in"]

    without_rules = said()
    allow(bucket, documented_rules("https://another.band"))
    for_another = said()
    allow(bucket, documented_rules(page).replace(b"<ExposeHeader>ETag</ExposeHeader>", b""))
    without_etag = said()
    allow(bucket, documented_rules(page))

    assert said() == f"ok {page} may read and write"
    assert without_rules.startswith("storage_refused ")
    assert f"at {page} in: it may not PUT" in without_rules
    assert for_another == without_rules
    assert "it may not read ETag" in without_etag
    assert list(open_store(bucket).list_below("")) == []


def test_worker_that_is_not_there_is_not_ordered_from(doctor: Doctor) -> None:
    gone = f"http://127.0.0.1:{free_port()}"

    found = doctor.findings(order=True, GPU_WORKER_URL=gone, STEMSET_WORKER_PATIENCE_S="1")

    assert "order" not in found


def test_worker_that_is_at_a_job_is_not_disturbed(
    doctor: Doctor, worker: Worker, stemset: Stemset, long_take: Path
) -> None:
    (doctor.config.parent / "recordings").mkdir()
    long_take.rename(doctor.config.parent / "recordings" / "take.wav")
    job = Thread(
        target=lambda: stemset("process", "h4n", "--config", doctor.config, env=doctor.sound)
    )
    job.start()
    wait_for(lambda: (worker.readiness() or {}).get("busy"), "the worker is busy", worker.log)
    with stopped(worker):
        found = doctor.findings()
    job.join()

    looks = ("worker disk", "worker models", "worker computing")
    assert {found[name] for name in looks} == {"ok not looked at: the worker is at a job"}
    assert worker.lines("Attempt ended: complete")


@contextmanager
def stopped(worker: Worker) -> Iterator[None]:
    """Stop the clock of what computes, so that a job lasts."""
    computing = [each for each in worker.tree() if "stemset.pipeline" in each.cmdline()]
    for each in computing:
        each.suspend()
    yield
    for each in computing:
        each.resume()


def test_worker_that_is_not_there_is_said(doctor: Doctor) -> None:
    gone = f"http://127.0.0.1:{free_port()}"

    wrong = doctor.wrong(GPU_WORKER_URL=gone, STEMSET_WORKER_PATIENCE_S="2")

    assert list(wrong) == ["worker"]
    assert wrong["worker"].startswith("worker_unreachable ")


def test_address_of_something_else_is_said(doctor: Doctor, bucket: StoreSettings) -> None:
    wrong = doctor.wrong(GPU_WORKER_URL=bucket.endpoint)

    assert wrong["worker"].startswith("worker_unreachable ")
    assert "no Stemset worker" in wrong["worker"]


def test_worker_that_no_profile_can_reach_is_said(doctor: Doctor) -> None:
    missing = doctor.wrong(GPU_WORKER_URL=None)
    in_the_clear = doctor.wrong(GPU_WORKER_URL="http://worker.example")

    assert missing["worker"].startswith("remote_unavailable ")
    assert "set gpu_worker_url" in missing["worker"]
    assert in_the_clear["worker"].startswith("config_invalid ")
    assert "Use https://worker.example" in in_the_clear["worker"]


def test_worker_with_another_secret_is_said(doctor: Doctor) -> None:
    wrong = doctor.wrong(STEMSET_WORKER_SECRET=OTHER_SECRET)

    assert list(wrong) == ["worker secret"]
    assert wrong["worker secret"].startswith("worker_refused ")
    assert "must hold the same secret on both sides" in wrong["worker secret"]


def test_clock_that_is_off_is_said(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = SimpleNamespace(time=lambda: time.time() + 3600)
    monkeypatch.setattr(remote, "time", fast)

    wrong = doctor.wrong()

    assert list(wrong) == ["worker secret"]
    assert "clock" in wrong["worker secret"]


def test_worker_of_another_version_is_said(
    doctor: Doctor, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_checks, "__version__", "99.0.0")

    wrong = doctor.wrong()

    assert list(wrong) == ["worker"]
    assert wrong["worker"].startswith("version_unsupported ")
    assert f"{worker.url} runs Stemset {__version__}, and this is 99.0.0" in wrong["worker"]


def test_databases_that_cannot_be_used_are_said(
    doctor: Doctor, database_conninfo: str, ledger_databases: LedgerDatabases
) -> None:
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    gone = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

    newer = doctor.wrong(DATABASE_URL=database_conninfo)
    missing = doctor.wrong(DATABASE_URL=gone)
    empty = doctor.findings(DATABASE_URL=ledger_databases.empty())

    assert list(newer) == list(missing) == ["database"]
    assert newer["database"].startswith("database_newer ")
    assert missing["database"].startswith("database_unavailable ")
    assert "will bring its schema up to" in empty["database"]


def test_command_prints_the_checks_and_fails_by_the_first_that_failed(
    doctor: Doctor, stemset: Stemset
) -> None:
    (doctor.config.parent / "recordings").mkdir()
    sound = stemset("doctor", "--json", "--config", doctor.config, env=doctor.sound)
    refused = stemset(
        "doctor",
        "--config",
        doctor.config,
        env={**doctor.sound, "STEMSET_WORKER_SECRET": OTHER_SECRET},
    )

    checks = {check["name"]: check for check in json.loads(sound.out)["checks"]}
    assert sound.code == 0
    assert {"bucket", "worker", "worker secret"} <= set(checks)
    assert refused.code == 5
    assert "ok   worker: " in refused.out
    assert "FAIL worker secret: " in refused.out
