"""Deployments that are really broken, each in its own way, and the one line that `doctor` names.

Everything is real: the program as its user runs it, an S3 server, a PostgreSQL server, the service
that is to be called back, and a worker of its own where that is what is broken.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cors_rules import allow, documented_rules
from deployment import CONFIG, Worker, environment, free_port
from ledger_database import LedgerDatabases
from program import Program
from running_parts import Part, clean_environment
from s3_server import S3Server
from small_disks import mounted

import stemset
from stemset.cli.deployment import Line
from stemset.storage.settings import StoreSettings

OTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3RzLW9ubHk="
# Python reads this file at its start: a machine whose clock is an hour fast.
FAST_CLOCK = "import time\n_now = time.time\ntime.time = lambda: _now() + 3600\n"

pytestmark = pytest.mark.s3


@dataclass
class Site:
    """A deployment that is in order, and what a test needs to break it.

    Attributes:
        folder: The test's own folder; the configuration is in it.
        env: The doctor's environment.
        bucket: The bucket.
        s3_server: Where that is.
        databases: Where databases can be made.
        worker_env: What a worker of this deployment is told.
    """

    folder: Path
    env: dict[str, str]
    bucket: StoreSettings
    s3_server: S3Server
    databases: LedgerDatabases
    worker_env: Mapping[str, str]
    ends: ExitStack = field(default_factory=ExitStack)

    def worker(self, **env: str) -> dict[str, str]:
        """Put another worker in place; it is told these besides."""
        log = self.folder / "worker.log"
        worker = Worker({**self.worker_env, **env}, log)
        self.ends.callback(worker.kill)
        return {"GPU_WORKER_URL": worker.wait_ready().url}

    def new_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def fast_clock(self) -> dict[str, str]:
        """The environment of a process on a machine whose clock is an hour fast."""
        folder = self.new_folder("fast")
        (folder / "sitecustomize.py").write_text(FAST_CLOCK)
        return {"PYTHONPATH": str(folder)}

    def changed_program(self, file: str, old: str, new: str) -> dict[str, str]:
        """The environment in which `stemset` is a version with another line in it."""
        folder = self.folder / "other" / "stemset"
        ignored = shutil.ignore_patterns("__pycache__", "_web")
        shutil.copytree(Path(stemset.__file__).parent, folder, ignore=ignored)
        text = (folder / file).read_text()
        assert text.count(old) == 1
        (folder / file).write_text(text.replace(old, new))
        return {"PYTHONPATH": str(folder.parent)}


@dataclass(frozen=True)
class Service:
    """What a whole module shares: a bucket, a service that works, and a worker that reaches it."""

    url: str
    conninfo: str
    bucket: StoreSettings
    worker: Worker
    worker_env: Mapping[str, str]


@pytest.fixture(scope="module")
def service(
    s3_server: S3Server,
    ledger_databases: LedgerDatabases,
    tmp_path_factory: pytest.TempPathFactory,
    example: Path,
) -> Iterator[Service]:
    del example  # its model is what is needed
    s3_server.mend()
    bucket, conninfo, port = s3_server.new_bucket(), ledger_databases.migrated(), free_port()
    url = f"http://127.0.0.1:{port}"
    allow(bucket, documented_rules(url))
    folder = tmp_path_factory.mktemp("service")
    env = environment(bucket, BACKEND_URL=url)
    serving = {**clean_environment(), **env, "STEMSET_DATA_DIR": str(folder / "data")}
    serve = Part(
        ["serve", "--port", str(port), "--no-compute"],
        {**serving, "DATABASE_URL": conninfo},
        folder,
        folder / "serve.log",
    )
    worker = Worker(env, folder / "worker.log")
    try:
        serve.wait_line("Service ready")
        yield Service(url, conninfo, bucket, worker.wait_ready(), env)
    finally:
        worker.kill()
        serve.kill()
        ledger_databases.drop(conninfo)


@pytest.fixture
def site(
    service: Service, tmp_path: Path, s3_server: S3Server, ledger_databases: LedgerDatabases
) -> Iterator[Site]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "recordings").mkdir()
    env = {
        **service.worker_env,
        "GPU_WORKER_URL": service.worker.url,
        "DATABASE_URL": service.conninfo,
    }
    bucket = service.bucket
    site = Site(tmp_path, env, bucket, s3_server, ledger_databases, service.worker_env)
    with site.ends:
        yield site


@dataclass(frozen=True)
class Findings:
    """What the program found, and how it ended."""

    checks: list[dict[str, Any]]
    exit_code: int

    @property
    def wrong(self) -> dict[str, dict[str, Any]]:
        return {check["name"]: check for check in self.checks if not check["ok"]}

    @property
    def names(self) -> list[str]:
        return [check["name"] for check in self.checks]


def examine(site: Site, *arguments: str, **env: str) -> Findings:
    """Run `stemset doctor --json`."""
    ended = Program(site.folder)("doctor", "--json", *arguments, env={**site.env, **env})
    return Findings(json.loads(ended.out)["checks"], ended.code)


def missing_bucket(_site: Site) -> dict[str, str]:
    return {"R2_BUCKET_NAME": "no-such-bucket"}


def wrong_key(_site: Site) -> dict[str, str]:
    return {"R2_SECRET_ACCESS_KEY": "wrong"}


def dead_bucket(_site: Site) -> dict[str, str]:
    return {"STEMSET_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"}


def full_bucket(site: Site) -> dict[str, str]:
    full = site.s3_server.new_bucket()
    site.s3_server.limit_bucket(full.bucket, 1)
    return {"R2_BUCKET_NAME": full.bucket}


def bucket_without_cors(site: Site) -> dict[str, str]:
    return {"R2_BUCKET_NAME": site.s3_server.new_bucket().bucket}


def dead_worker(_site: Site) -> dict[str, str]:
    url = f"http://127.0.0.1:{free_port()}"
    return {"GPU_WORKER_URL": url, "STEMSET_WORKER_PATIENCE_S": "2"}


def another_secret(_site: Site) -> dict[str, str]:
    return {"STEMSET_WORKER_SECRET": OTHER_SECRET}


def worker_with_a_fast_clock(site: Site) -> dict[str, str]:
    return site.worker(**site.fast_clock())


def worker_of_another_version(site: Site) -> dict[str, str]:
    version = f'__version__ = "{stemset.__version__}"'
    env = site.changed_program("__init__.py", version, '__version__ = "0.0.9"')
    return site.worker(**env)


def worker_with_a_full_disk(site: Site) -> dict[str, str]:
    disk = site.ends.enter_context(mounted(site.folder / "disk", "8m"))
    return site.worker(STEMSET_SCRATCH_DIR=str(disk))


def worker_without_a_model(site: Site) -> dict[str, str]:
    return site.worker(STEMSET_MODEL_DIR=str(site.new_folder("no-models")))


def worker_that_does_not_compute(site: Site) -> dict[str, str]:
    return site.worker(STEMSET_PRECISION="half")


def callback_that_the_worker_cannot_reach(site: Site) -> dict[str, str]:
    """The doctor's machine and the bucket know the address; nothing listens there."""
    url = f"http://127.0.0.1:{free_port()}"
    bucket = site.s3_server.new_bucket()
    allow(bucket, documented_rules(url))
    worker = site.worker(BACKEND_URL=url, R2_BUCKET_NAME=bucket.bucket)
    return {**worker, "BACKEND_URL": url, "R2_BUCKET_NAME": bucket.bucket}


def callback_to_something_else(site: Site) -> dict[str, str]:
    url = site.bucket.endpoint
    bucket = site.s3_server.new_bucket()
    allow(bucket, documented_rules(url))
    worker = site.worker(BACKEND_URL=url, R2_BUCKET_NAME=bucket.bucket)
    return {**worker, "BACKEND_URL": url, "R2_BUCKET_NAME": bucket.bucket}


def worker_that_calls_nobody_back(site: Site) -> dict[str, str]:
    return site.worker(BACKEND_URL="")


def dead_database(_site: Site) -> dict[str, str]:
    return {"DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"}


def database_of_a_newer_version(site: Site) -> dict[str, str]:
    newer = site.databases.migrated()
    site.ends.callback(site.databases.drop, newer)
    with psycopg.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    return {"DATABASE_URL": newer}


def full_scratch_here(site: Site) -> dict[str, str]:
    disk = site.ends.enter_context(mounted(site.folder / "disk", "8m"))
    return {"STEMSET_SCRATCH_DIR": str(disk)}


Break = Callable[[Site], dict[str, str]]

# How it is broken; the line that fails, its code, the exit code, and words of it.
BROKEN: list[tuple[Break, str, str, int, str]] = [
    (missing_bucket, "bucket", "storage_refused", 5, "check R2_BUCKET_NAME"),
    (wrong_key, "bucket", "storage_refused", 5, "R2_SECRET_ACCESS_KEY"),
    (dead_bucket, "bucket", "storage_unavailable", 5, "out of reach"),
    (full_bucket, "bucket", "no_space", 1, "takes no more"),
    (bucket_without_cors, "bucket lets the page in", "storage_refused", 5, "it may not PUT"),
    (dead_worker, "worker", "worker_unreachable", 5, "was waited for for 2 s"),
    (another_secret, "worker secret", "worker_refused", 5, "the same secret on both sides"),
    (worker_with_a_fast_clock, "worker secret", "worker_refused", 5, "s behind this machine's"),
    (worker_of_another_version, "worker", "version_unsupported", 5, "runs Stemset 0.0.9"),
    (worker_with_a_full_disk, "worker disk", "no_space", 1, "a song and its stems need 256 MB"),
    (worker_without_a_model, "worker models", "model_missing", 4, "spleeter-2stems are not in"),
    (worker_that_does_not_compute, "worker computing", "config_invalid", 2, "STEMSET_PRECISION"),
    (
        callback_that_the_worker_cannot_reach,
        "callback",
        "backend_unreachable",
        5,
        "the connection is refused",
    ),
    (callback_to_something_else, "callback", "backend_unreachable", 5, "it is not the service"),
    (worker_that_calls_nobody_back, "callback", "order_invalid", 5, "BACKEND_URL is not set"),
    (dead_database, "database", "database_unavailable", 1, "Connection refused"),
    (database_of_a_newer_version, "database", "database_newer", 1, "which Stemset"),
    (full_scratch_here, "scratch", "no_space", 1, "a song and its stems need 256 MB"),
]


def test_there_are_ten_ways_and_more():
    assert len({way for way, *_ in BROKEN}) == len(BROKEN) >= 10
    elsewhere = {Line.ORDER, Line.BUCKET_CLOCK, Line.SIGN_IN}  # the last: test_doctor_sign_in.py
    assert elsewhere == set(Line) - {line for _, line, *_ in BROKEN}


def test_deployment_in_order_has_every_line_and_nothing_wrong(site: Site) -> None:
    found = examine(site)

    assert found.wrong == {}
    assert found.exit_code == 0
    assert [name for name in found.names if name in set(Line)] == [
        line for line in Line if line not in {Line.ORDER, Line.SIGN_IN}
    ]


@pytest.mark.parametrize(
    ("breaks", "line", "code", "exit_code", "words"),
    BROKEN,
    ids=[way.__name__ for way, *_ in BROKEN],
)
def test_broken_deployment_is_named_by_its_line_alone(
    site: Site, breaks: Break, line: str, code: str, exit_code: int, words: str
) -> None:
    found = examine(site, **breaks(site))

    assert list(found.wrong) == [line], found.wrong
    check = found.wrong[line]
    assert (check["code"], check["exit_code"], found.exit_code) == (code, exit_code, exit_code)
    assert words in check["detail"]


def test_clock_of_this_machine_that_is_off_is_named_where_it_does_harm(site: Site) -> None:
    found = examine(site, **site.fast_clock())

    wrong = found.wrong
    assert {"bucket clock", "worker secret"} <= set(wrong)
    assert wrong["bucket clock"]["code"] == "clock_skewed"
    assert "s ahead of the bucket's; 300 s are tolerated" in wrong["bucket clock"]["detail"]
    assert "s ahead of this machine's" in wrong["worker secret"]["detail"]
    assert found.exit_code == 5


def test_order_meets_what_the_worker_lacks(site: Site) -> None:
    found = examine(site, "--order", **worker_without_a_model(site))

    assert list(found.wrong) == ["worker models", "order"]
    assert found.wrong["order"]["code"] == "model_missing"


def test_worker_of_a_version_that_is_not_asked_is_no_failure_but_its_version(site: Site) -> None:
    route = "    _add_check(app, checkup, check_signature)\n"
    older = site.worker(**site.changed_program("worker/app.py", route, ""))

    found = examine(site, **older)

    said = {check["name"]: check["detail"] for check in found.checks}
    assert found.exit_code == 0
    for line in (Line.WORKER_DISK, Line.WORKER_MODELS, Line.WORKER_COMPUTING, Line.CALLBACK):
        assert said[line] == "not known: a worker of this version does not tell"
