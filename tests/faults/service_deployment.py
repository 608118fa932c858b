"""A whole service on loopback: a database, a store, and processes that can be killed."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from deployment import SECRET, free_port
from embedded_data import embedded_data
from invariants import Books
from running_parts import WAIT_S, Part, clean_environment, wait_for

from stemset.postgres.cluster import running
from stemset.storage.service_store import service_store
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

CONFIG = """
profiles:
  - {name: here, source_folder: recordings, output: {format: flac}}
  - {name: far, source_folder: recordings, remote: true, output: {format: flac}}
"""
HERE, FAR = "here", "far"
ENDED = ("complete", "error", "cancelled")
_TRY_EVERY_S = 0.2
_REST_WITHIN_S = 10.0


@dataclass
class ServiceDeployment:
    """A folder with a configuration, and what was started in it.

    Attributes:
        folder: Working folder of every process.
        conninfo: The database server's address, None for the embedded one.
        bucket: The bucket, None for a folder.
        port: Where the next service is to listen, and is called.
        worker_port: Where the worker listens.
        calls_back: Whether the worker is told to call back.
        config: ``config.yaml``.
        length_s: As of ``Books``.
        parts: All processes that were started.
    """

    folder: Path
    conninfo: str | None = None
    bucket: StoreSettings | None = None
    port: int = field(default_factory=free_port)
    worker_port: int = field(default_factory=free_port)
    calls_back: bool = False
    config: str = CONFIG
    length_s: float = Books.length_s
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "config.yaml").write_text(self.config)
        self._client = httpx.Client(timeout=30, trust_env=False)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def books(self) -> Books:
        """The ledger and the store."""
        conninfo = self.conninfo or running(self.data)
        assert conninfo is not None, "no database runs"
        return Books(conninfo, self.store, self.length_s)

    @property
    def store(self) -> Store:
        return open_store(service_store(self.bucket, self.data))

    def environment(self, **more: str) -> dict[str, str]:
        """What every process is told."""
        env = {**clean_environment(), "STEMSET_DATA_DIR": str(self.data)}
        env["STEMSET_WORKER_SECRET"] = SECRET
        if self.conninfo is not None:
            env["DATABASE_URL"] = self.conninfo
        if self.calls_back:
            env["BACKEND_URL"] = self.url
        if self.bucket is not None:
            env |= {
                "R2_BUCKET_NAME": self.bucket.bucket,
                "R2_ACCESS_KEY_ID": self.bucket.access_key_id,
                "R2_SECRET_ACCESS_KEY": self.bucket.secret_access_key,
                "STEMSET_S3_ENDPOINT": self.bucket.endpoint,
                "STEMSET_S3_REGION": self.bucket.region,
                "GPU_WORKER_URL": f"http://127.0.0.1:{self.worker_port}",
            }
        return env | more

    def serve(self, *arguments: str, **env: str) -> Part:
        """Start a service and wait until it is ready."""
        part = self.start("serve", "--port", str(self.port), *arguments, **env)
        part.wait_line("Service ready")
        return part

    def consume(self, **env: str) -> Part:
        """Start a consumer and wait until it is ready."""
        part = self.start("consume", **env)
        part.wait_line("Consumer ready")
        return part

    def worker(self, **env: str) -> Part:
        """Start the worker and wait until it takes orders."""
        part = self.start("worker", "--port", str(self.worker_port), **env)
        url = f"http://127.0.0.1:{self.worker_port}/readyz"
        wait_for(lambda: _answers(url), "the worker is ready", part.log)
        return part

    def start(self, command: str, *arguments: str, **env: str) -> Part:
        """Start one of Stemset's processes."""
        with self._lock:
            log = self.folder / f"{command}-{len(self.parts)}.log"
            part = Part([command, *arguments], self.environment(**env), self.folder, log)
            self.parts.append(part)
        return part

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the service once."""
        return self._client.request(method, f"{self.url}{path}", **more)

    def ask(self, method: str, path: str, within_s: float = WAIT_S, **more: Any) -> httpx.Response:
        """Call the service as a patient client does, until it is answered with other than 503."""
        limit = time.monotonic() + within_s
        last = ""
        while time.monotonic() < limit:
            try:
                answer = self.call(method, path, **more)
            except httpx.TransportError as error:
                last = repr(error)
            else:
                if answer.status_code not in {503, 507}:
                    return answer
                assert "retry-after" in answer.headers
                last = answer.text
            time.sleep(_TRY_EVERY_S)
        raise TimeoutError(f"{method} {path}: {last}")

    def upload(self, wav: bytes, name: str, profile: str = HERE) -> dict[str, Any]:
        """Upload a recording, whatever it takes."""
        answer = self.ask("POST", "/api/upload", **_form(wav, name, profile))
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def process(self, name: str, profile: str = HERE, **more: str) -> str:
        """Have it separated, whatever it takes; the job's id."""
        body = {"profile_name": profile, "filename": name, **more}
        answer = self.ask("POST", "/api/process", json=body)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["job_id"]

    def separate(self, wav: bytes, name: str, profile: str = HERE) -> str:
        """Upload a recording and have it separated."""
        self.upload(wav, name, profile)
        return self.process(name, profile)

    def status(self, job_id: str) -> dict[str, Any]:
        """How a job stands, as a page sees it."""
        answer = self.ask("GET", f"/api/jobs/{job_id}/status")
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def wait_state(self, job_id: str, *states: str, phase: str | None = None) -> dict[str, Any]:
        """Wait until a job stands so; fails if it ends otherwise."""
        limit = time.monotonic() + WAIT_S
        while True:
            status = self.status(job_id)
            if status["state"] in states and phase in (None, status["phase"]):
                return status
            assert status["state"] not in ENDED, status
            assert time.monotonic() < limit, status
            time.sleep(_TRY_EVERY_S / 4)

    def wait_ended(self, *job_ids: str) -> list[str]:
        """Wait until jobs have ended; their states."""
        return [self.wait_state(job_id, *ENDED)["state"] for job_id in job_ids]

    def assert_complete(self, *job_ids: str) -> None:
        """Jobs complete, and nothing is wrong."""
        ended = self.wait_ended(*job_ids)
        assert ended == ["complete"] * len(job_ids), [self.status(each) for each in job_ids]
        self.assert_well()

    def assert_well(self) -> None:
        """All holds that must once every job has ended; what is being let go gets a moment."""
        limit = time.monotonic() + _REST_WITHIN_S
        while (problems := self.books.problems()) and time.monotonic() < limit:
            time.sleep(_TRY_EVERY_S)
        assert problems == [], "\n".join(problems)

    def close(self) -> None:
        """End every process, whatever state it is in."""
        for part in self.parts:
            part.kill()
        self._client.close()


@contextmanager
def service(
    folder: Path, conninfo: str | None = None, bucket: StoreSettings | None = None, **more: Any
) -> Iterator[ServiceDeployment]:
    """A deployment; whatever was started in it is ended at last."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if conninfo is None:
            stack.enter_context(embedded_data(folder / "data"))
        made = ServiceDeployment(folder, conninfo, bucket, **more)
        stack.callback(made.close)
        yield made


def _form(wav: bytes, name: str, profile: str) -> dict[str, Any]:
    return {"files": {"file": (name, wav, "audio/wav")}, "data": {"profile_name": profile}}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
