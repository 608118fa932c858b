"""Work on a platform that asks money for a worker's time, ordered by command or through a service.

A thousandth is paid for a second. Both ways have jobs done by one worker that sleeps, and tell what
they cost.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from deployment import Deployment, Worker, ended, environment
from program import Ended
from running_parts import wait_for
from service_deployment import FAR, ServiceDeployment, service
from sleeping_platform import SleepingPlatform

from stemset.storage.settings import StoreSettings

WAKE_S = 1.0
IDLE_S = 25.0
STOP_S = 2.0
"""More than a worker needs: 0.4 s, and 1.3 s where other tests have both cores."""

_PRICE = 0.001
_ASLEEP_WITHIN_S = IDLE_S + 20.0


class Side(Protocol):
    """A way of having jobs done."""

    name: str
    platform: SleepingPlatform

    def have_done(self, wavs: Sequence[bytes]) -> None:
        """Have recordings separated that wait together, and wait for all of them."""

    def begin(self, wav: bytes) -> None:
        """Have a recording separated, and return when the worker is at it."""

    def kill_worker(self) -> None:
        """kill -9."""

    def finish(self) -> None:
        """Wait until what was begun is done."""

    def told(self) -> float:
        """What all of it cost, as Stemset tells."""
        ...


@dataclass
class Commands:
    """``stemset process``, which keeps a journal."""

    deployment: Deployment
    platform: SleepingPlatform
    name = "stemset process"
    _amounts: float = 0.0
    _takes: int = 0
    _command: "subprocess.Popen[bytes] | None" = None

    def have_done(self, wavs: Sequence[bytes]) -> None:
        self._tell(self.deployment.process(self.platform.url, *map(self._write, wavs)))

    def begin(self, wav: bytes) -> None:
        self._command = self.deployment.start(self.platform.url, self._write(wav))
        log = self.deployment.folder / "worker-0.log"
        wait_for(lambda: log.exists() and "Processing with" in log.read_text(), "it computes")

    def kill_worker(self) -> None:
        self.deployment.workers[-1].kill()

    def finish(self) -> None:
        assert self._command is not None
        self._tell(ended(self._command))

    def told(self) -> float:
        return self._amounts

    def _write(self, wav: bytes) -> str:
        self._takes += 1
        path = self.deployment.recordings / f"{self._takes}.wav"
        path.write_bytes(wav)
        return path.name

    def _tell(self, done: Ended) -> None:
        assert done.code == 0, done.err
        self._amounts += done.events("summary")[0]["cost"]["amount"]


@dataclass
class Service:
    """``stemset serve`` with a database server; the ledger knows."""

    deployment: ServiceDeployment
    platform: SleepingPlatform
    name = "stemset serve"

    def __post_init__(self) -> None:
        self._job_ids: list[str] = []

    def have_done(self, wavs: Sequence[bytes]) -> None:
        for wav in wavs:
            self._order(wav)
        self.finish()

    def begin(self, wav: bytes) -> None:
        self.deployment.wait_state(self._order(wav), "processing", phase="separating")

    def kill_worker(self) -> None:
        self.deployment.parts[-1].kill()

    def finish(self) -> None:
        self.deployment.assert_complete(*self._job_ids)

    def told(self) -> float:
        statuses = [self.deployment.status(job_id) for job_id in self._job_ids]
        return sum(status["cost"]["amount"] for status in statuses)

    def _order(self, wav: bytes) -> str:
        name = f"{len(self._job_ids)}.wav"
        self._job_ids.append(self.deployment.separate(wav, name, FAR))
        return self._job_ids[-1]


@contextmanager
def commands(folder: Path, bucket: StoreSettings) -> Iterator[Side]:
    """The one way."""
    folder.mkdir()
    deployment = Deployment(folder, bucket, config=_config("h4n"))

    def start(port: int) -> "subprocess.Popen[bytes]":
        log = folder / f"worker-{len(deployment.workers)}.log"
        deployment.workers.append(Worker(environment(bucket), log, port))
        return deployment.workers[-1].process

    with ExitStack() as stack:
        stack.callback(deployment.close)
        yield Commands(deployment, stack.enter_context(_platform(start)))


@contextmanager
def serving(folder: Path, bucket: StoreSettings, conninfo: str) -> Iterator[Side]:
    """The other one."""
    with service(folder, conninfo, bucket, config=_config(FAR)) as deployment:

        def start(port: int) -> "subprocess.Popen[bytes]":
            return deployment.start("worker", "--port", str(port)).process

        with _platform(start) as platform:
            deployment.serve("--no-compute", GPU_WORKER_URL=platform.url)
            yield Service(deployment, platform)


def assert_told(side: Side) -> None:
    """Once the worker is asleep, what was told is within 1 % of what the platform asks for."""
    side.platform.wait_until_asleep(_ASLEEP_WITHIN_S)
    told, asked = side.told(), side.platform.awake_s * _PRICE
    print(f"{side.name}: told {told:.5f}, asked {asked:.5f}: {told / asked - 1:+.2%}")  # noqa: T201
    assert told == pytest.approx(asked, rel=0.01)


def _config(profile: str) -> str:
    return f"""
profiles:
  - name: {profile}
    source_folder: recordings
    remote: true
    output: {{format: flac}}
    monthly_cap: 1000
cost:
  currency: USD
  prices:
    loopback: {{hour: {3600 * _PRICE}, source: made up, as_of: 2026-11-29}}
  worker: loopback
  idle_s: {IDLE_S + STOP_S}
"""


def _platform(start: "Callable[[int], subprocess.Popen[bytes]]") -> SleepingPlatform:
    return SleepingPlatform(start, wake_s=WAKE_S, idle_s=IDLE_S, stop_s=STOP_S)
