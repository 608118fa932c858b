"""The whole way with nothing stood in for: the program, a worker, a bucket on a real S3 server."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from remote_run import Take

from stemset.storage.settings import StoreSettings

pytestmark = [pytest.mark.s3, pytest.mark.slow]

SECRET = "c3RlbXNldCBzZWNyZXQgb2YgMzIgYnl0ZXMgISEhISE="  # noqa: S105 - made up
CONFIG = """
profiles:
  - {name: far, source_folder: recordings, remote: true, output: {format: flac}}
"""
LIMIT_S = 120


@dataclass(frozen=True)
class Far:
    """A folder with a configuration whose profile is remote."""

    folder: Path
    keys: Mapping[str, str]

    @contextmanager
    def worker(self, **environment: str) -> Iterator[str]:
        """Run a worker; yields its URL."""
        process = subprocess.Popen(
            [sys.executable, "-m", "stemset", "worker", "--port", "0"],
            cwd=self.folder.parent,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        with ExitStack() as stack:
            stack.callback(process.stderr.close)
            stack.callback(process.wait, LIMIT_S)
            stack.callback(process.terminate)
            url = _url(process)
            drain = threading.Thread(target=process.stderr.read)
            drain.start()
            stack.callback(drain.join)
            stack.callback(process.terminate)
            yield url

    def interrupted(self, url: str, name: str, number: signal.Signals) -> int:
        """Begin with one recording, and send a signal as soon as it is being separated."""
        process = subprocess.Popen(
            [sys.executable, "-m", "stemset", "process", "far", name, "--json"],
            cwd=self.folder,
            env={**os.environ, **self.keys, "GPU_WORKER_URL": url},
            stdout=subprocess.PIPE,
            text=True,
        )
        stop = threading.Timer(LIMIT_S, process.kill)
        stop.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if json.loads(line).get("phase") == "separating":
                    process.send_signal(number)
                    break
            process.stdout.close()
            return process.wait(LIMIT_S)
        finally:
            stop.cancel()
            process.kill()
            process.wait()

    def __call__(self, url: str, *arguments: str, **environment: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "stemset", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.keys, "GPU_WORKER_URL": url, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return ended.returncode, ended.stdout

    def events(self, url: str, *arguments: str, **environment: str) -> list[dict[str, Any]]:
        code, out = self(url, "process", "far", "--json", *arguments, **environment)
        assert code == 0, out
        return [json.loads(line) for line in out.splitlines()]

    def outputs(self) -> list[Path]:
        return sorted((self.folder / "media" / "far").iterdir())


@pytest.fixture
def far(tmp_path: Path, bucket_settings: StoreSettings, take: Take, example: Path) -> Far:
    del example  # its model is what is needed
    (tmp_path / "config.yaml").write_text(CONFIG)
    for number in range(3):
        take(f"Take {number}.wav", seed=number)
    keys = {
        "R2_BUCKET_NAME": bucket_settings.bucket,
        "R2_ACCESS_KEY_ID": bucket_settings.access_key_id,
        "R2_SECRET_ACCESS_KEY": bucket_settings.secret_access_key,
        "STEMSET_S3_ENDPOINT": bucket_settings.endpoint,
        "STEMSET_S3_REGION": bucket_settings.region,
    }
    return Far(tmp_path, keys)


def _url(process: "subprocess.Popen[str]") -> str:
    """Read the worker's log until it says where it listens."""
    stop = threading.Timer(LIMIT_S, process.kill)
    stop.start()
    assert process.stderr is not None
    try:
        return next(said["url"] for said in map(json.loads, process.stderr) if "url" in said)
    finally:
        stop.cancel()


def kinds(events: list[dict[str, Any]]) -> set[str]:
    return {event["event"] for event in events}


def test_folder_goes_to_the_worker_and_its_stems_come_back(far: Far) -> None:
    with far.worker(**far.keys) as url:
        first = far.events(url)
        outputs = far.outputs()
        verified = [far(url, "verify", str(output))[0] for output in outputs]
        again = far.events(url)
        local = far.events(url, "--local")

    assert len([event for event in first if event["event"] == "complete"]) == 3
    assert verified == [0, 0, 0]
    assert kinds(again) == kinds(local) == {"skipped", "summary"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_worker_goes_on_when_the_program_is_gone(
    far: Far, take: Take, number: signal.Signals
) -> None:
    take("long.wav", duration_s=90)
    with far.worker(**far.keys) as url:
        ended = far.interrupted(url, "long.wav", number)
        events = far.events(url, "long.wav")

    assert ended == (130 if number == signal.SIGINT else -number)
    assert {event["attempt"] for event in events if event["event"] == "ordered"} <= {1}
    assert "complete" in kinds(events)
    assert [path.name.split("_")[0] for path in far.outputs()] == ["long"]


def test_worker_without_keys_gets_links(far: Far) -> None:
    secret = {"STEMSET_WORKER_SECRET": SECRET}
    with far.worker(**secret) as url:
        far.events(url, STEMSET_WORKER_LINKS="1", **secret)
        verified = [far(url, "verify", str(output))[0] for output in far.outputs()]

    assert verified == [0, 0, 0]


def test_worker_with_another_secret_refuses_with_what_to_check(far: Far) -> None:
    other = "b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzICEhISEhISE="
    with far.worker(**far.keys, STEMSET_WORKER_SECRET=SECRET) as url:
        code, out = far(url, "process", "far", "--json", STEMSET_WORKER_SECRET=other)

    (error,) = [json.loads(line) for line in out.splitlines() if '"error"' in line]
    assert code == 5
    assert error["code"] == "worker_refused"
    assert "STEMSET_WORKER_SECRET" in error["message"]
    assert "job_id" in error
