"""A worker that runs, seen from outside: its log, its processes, and a client that signs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from stemset.orders import signing
from stemset.orders.messages import Order, OrderInput, OrderOutput, Report, parse_report
from stemset.storage.keys import attempt_folder

PROGRAM = Path(__file__).with_name("worker_program.py")
SECRET = "whsec_" + "bmV2ZXIgZ29ubmEgZ2l2ZSB5b3UgdXAuLi4="
OLD_SECRET = "bmV2ZXIgZ29ubmEgbGV0IHlvdSBkb3duLi4u"  # noqa: S105 - of these tests
BUCKET = {
    "R2_BUCKET_NAME": "band",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "key",
    "STEMSET_S3_ENDPOINT": "http://127.0.0.1:9",
}
SIGNED = {"STEMSET_WORKER_SECRET": f"{SECRET} {OLD_SECRET}"}
CONFIGURED = (*BUCKET, *SIGNED, "R2_ACCOUNT_ID", "BACKEND_URL", "STEMSET_CONFIG", "PORT")
WITHIN_S = 20.0

Result = TypeVar("Result")


def eventually(look: Callable[[], Result], within_s: float = WITHIN_S) -> Result:
    """Look until there is something to see."""
    end = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
    return seen


def all_gone(processes: Sequence[psutil.Process], within_s: float) -> bool:
    """Whether processes end in time; one that its new parent has not looked at yet has ended."""

    def has_ended(process: psutil.Process) -> bool:
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return bool(processes) and eventually(lambda: all(map(has_ended, processes)), within_s)


def make_order(job_id: str, attempt: int = 1, **changes: Any) -> Order:
    """Make an order; ``wishes`` are what the fake computing process does."""
    folder = attempt_folder("h4n", "song_0123abcd", job_id, attempt)
    facts = {
        "job_id": job_id,
        "attempt": attempt,
        "profile_name": folder.profile,
        "output_name": folder.output_name,
        "strategy_name": "fake",
        "strategy": {"_": "fake", **changes.pop("wishes", {})},
        "fingerprint": "f" * 64,
        "input": OrderInput(key="inputs/h4n/song.wav", name="song.wav", sha256="a" * 64, bytes=1),
        "output": OrderOutput.model_validate({"prefix": folder.prefix, "format": "opus"}),
        "deadline": datetime.now(UTC) + timedelta(hours=1),
    }
    return Order.model_validate(facts | changes)


@dataclass
class Client:
    """Calls a worker as an orderer does."""

    url: str
    http: httpx.Client
    secrets: Sequence[str]

    def headers(self, signed: bytes, **extra: str) -> dict[str, str]:
        return {
            "content-type": "application/json",
            **signing.sign(self.secrets, "message-1", signed, time.time()),
            **extra,
        }

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None):
        headers = self.headers(body) if headers is None else headers
        return self.http.post(self.url + path, content=body, headers=headers)

    def order(self, order: Order) -> httpx.Response:
        """Order, and read the answer to its end."""
        return self.post("/process", order.line())

    @contextmanager
    def stream(self, order: Order) -> Iterator[Iterator[Report]]:
        """Order, and read reports as they come."""
        body = order.line()
        with self.http.stream(
            "POST", self.url + "/process", content=body, headers=self.headers(body)
        ) as answer:
            assert answer.status_code == 200, answer.read()
            yield (parse_report(line) for line in answer.iter_lines())

    def cancel(self, job_id: str) -> httpx.Response:
        path = f"/process/{job_id}"
        return self.http.delete(
            self.url + path, headers=self.headers(signing.subject("DELETE", path))
        )

    def get(self, path: str) -> httpx.Response:
        return self.http.get(self.url + path)

    def ready(self) -> dict[str, Any]:
        return self.get("/readyz").json()


@dataclass
class Worker:
    """A worker's process."""

    process: "subprocess.Popen[bytes]"
    log_file: Path

    def log(self, event: str = "", **fields: object) -> list[dict[str, Any]]:
        """The log's lines whose event begins so, and that have these fields."""
        text = self.log_file.read_text()
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [
            line
            for line in lines
            if line["event"].startswith(event) and fields.items() <= line.items()
        ]

    def wait_for_log(self, event: str, **fields: object) -> dict[str, Any]:
        return eventually(lambda: self.log(event, **fields))[-1]

    @property
    def url(self) -> str:
        return self.wait_for_log("Worker listening")["url"]

    @contextmanager
    def client(self, secrets: Sequence[str] = (SECRET,)) -> Iterator[Client]:
        """A client, which signs if it is given secrets."""
        with httpx.Client(timeout=WITHIN_S) as http:
            yield Client(self.url, http, secrets)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> int:
        """Wait for its end; returns the exit status."""
        return self.process.wait(WITHIN_S)


def start(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    crash_at: str = "",
    **wishes: object,
) -> Worker:
    """Start a worker in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {"environ": {**BUCKET, **SIGNED} if environ is None else dict(environ), **wishes}
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, json.dumps(arguments)],
            cwd=folder,
            env=clean_environment() | {"STEMSET_CRASH_AT": crash_at},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    return Worker(process, log_file)


@contextmanager
def running(folder: Path, **wishes: Any) -> Iterator[Worker]:
    """Run a worker that is ready, and end it."""
    worker = start(folder, **wishes)
    try:
        worker.wait_for_log("Worker ready")
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait(WITHIN_S)


def clean_environment() -> dict[str, str]:
    """The environment without what configures a worker, and without the way through a proxy."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in CONFIGURED and not name.lower().endswith("_proxy")
    }
