"""A whole deployment on loopback: a bucket, a worker and a folder of recordings, each a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from program import Ended
from running_parts import wait_for

from stemset.pipeline.output import read_metadata
from stemset.pipeline.verify import verify_output
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

SECRET = "whsec_" + "c3RlbXNldC10ZXN0cy1vbi1sb29wYmFjay1vbmx5"
WAIT_S = 120.0

CONFIG = """
profiles:
  - name: h4n
    source_folder: recordings
    remote: true
    output: {format: flac}
"""


def environment(bucket: StoreSettings, **more: str) -> dict[str, str]:
    """The environment of a process that reaches the bucket and signs orders."""
    ours = ("STEMSET_", "R2_", "GPU_WORKER_URL", "BACKEND_URL", "PORT")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) or name == "STEMSET_MODEL_DIR"
    }
    return {
        **clean,
        "R2_BUCKET_NAME": bucket.bucket,
        "R2_ACCESS_KEY_ID": bucket.access_key_id,
        "R2_SECRET_ACCESS_KEY": bucket.secret_access_key,
        "STEMSET_S3_ENDPOINT": bucket.endpoint,
        "STEMSET_S3_REGION": bucket.region,
        "STEMSET_WORKER_SECRET": SECRET,
        **more,
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Worker:
    """A `stemset worker` of its own process, with its log in a file."""

    def __init__(self, env: Mapping[str, str], log: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stemset", "worker", "--port", str(self.port)],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_ready(self) -> "Worker":
        """Wait until it takes orders."""
        wait_for(lambda: self.readiness() is not None, "the worker is ready", self.log)
        return self

    def readiness(self) -> dict[str, Any] | None:
        """What it says of itself, None if it is not ready."""
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False)
            return answer.json() if answer.status_code == httpx.codes.OK else None
        return None

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, or those whose event begins so."""
        lines = []
        for text in self.log.read_text("utf-8").splitlines():
            with suppress(ValueError):
                lines.append(json.loads(text))
        return [each for each in lines if event is None or each["event"].startswith(event)]

    def wait_line(self, event: str) -> None:
        """Wait until it has logged this."""
        wait_for(lambda: bool(self.lines(event)), f"the worker logs {event!r}", self.log)

    def tree(self) -> list[psutil.Process]:
        """Its processes: it, the computing one, decoders."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def signal(self, number: int) -> None:
        """Send a signal to every process of it."""
        for each in self.tree():
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill(self) -> None:
        """kill -9 of the HTTP process alone, then wait until nothing of it is left."""
        tree = self.tree() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(tree, timeout=10)
        assert alive == [], "the computing process outlived the worker"

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)


@dataclass
class Deployment:
    """A folder with a configuration, a bucket, and workers that are started and ended here.

    Attributes:
        folder: Working folder of the command line; recordings lie in ``recordings``.
        bucket: The bucket.
        within: How ``stemset process`` is begun, where it runs in another network.
    """

    folder: Path
    bucket: StoreSettings
    workers: list[Worker] = field(default_factory=list)
    commands: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    config: str = CONFIG
    within: Sequence[str] = ()

    def __post_init__(self) -> None:
        (self.folder / "config.yaml").write_text(self.config)
        self.recordings.mkdir(exist_ok=True)

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings"

    @property
    def media(self) -> Path:
        return self.folder / "media" / "h4n"

    @property
    def store(self) -> Store:
        return open_store(self.bucket)

    def worker(self, port: int | None = None, **env: str) -> Worker:
        """Start a worker and wait until it is ready."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = Worker(environment(self.bucket, **env), log, port)
        self.workers.append(worker)
        return worker.wait_ready()

    def start(self, url: str, *arguments: str, **env: str) -> "subprocess.Popen[bytes]":
        """Start `stemset process h4n`."""
        command = subprocess.Popen(
            [*self.within, sys.executable, "-m", "stemset", "process", "h4n", "--json", *arguments],
            cwd=self.folder,
            env=environment(self.bucket, GPU_WORKER_URL=url, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.commands.append(command)
        return command

    def process(self, url: str, *arguments: str, within_s: float = WAIT_S, **env: str) -> Ended:
        """Run `stemset process h4n` to its end."""
        return ended(self.start(url, *arguments, **env), within_s)

    def outputs(self) -> list[Path]:
        """The outputs that stand in the media folder."""
        if not self.media.exists():
            return []
        return sorted(path for path in self.media.iterdir() if not path.name.startswith("."))

    def manifests(self) -> list[str]:
        """The keys of all manifests in the bucket."""
        return [
            info.key
            for info in self.store.list_below("outputs")
            if info.key.endswith("/manifest.json")
        ]

    def close(self) -> None:
        """End every command and worker, whatever state it is in."""
        for command in self.commands:
            if command.poll() is None:
                command.kill()
            command.communicate()  # closes what it wrote to, whoever has read that
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.signal(signal.SIGCONT)
                worker.kill()


def ended(process: "subprocess.Popen[bytes]", within_s: float = WAIT_S) -> Ended:
    """Wait for a command."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        message = f"the command did not end: {out.decode()[-2000:]} {err.decode()[-2000:]}"
        raise AssertionError(message) from None
    return Ended(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def uploads(done: Ended) -> list[dict[str, Any]]:
    """The recordings that a command really uploaded."""
    return [each for each in done.events("uploaded") if not each["already"]]


def assert_split_once(deployment: Deployment, *recordings: Path) -> None:
    """Every recording has one output that verifies, and one whole attempt in the bucket."""
    outputs = deployment.outputs()
    assert len(outputs) == len(recordings)
    for output in outputs:
        metadata = read_metadata(output)
        assert metadata is not None
        recording = deployment.recordings / metadata["recording"]["name"]
        assert verify_output(output, recording).problems == ()
    assert len(deployment.manifests()) == len(recordings)
    hidden = [path for path in deployment.media.iterdir() if path.name.startswith(".")]
    assert hidden == []
