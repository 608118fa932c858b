"""A real `stemset serve` on loopback, with the database that it makes itself."""

import http.client
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from figures import STEMSET
from stemset.postgres import cluster
from stemset.postgres._place import SYSTEM_FOLDER, find_place

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0

_FILL = Path(__file__).with_name("many_jobs.sql")
_CONFIG = """
profiles:
  - {name: band, source_folder: recordings, output: {format: opus}}
"""


@dataclass(frozen=True)
class Site:
    """A folder that a service is run from.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the service says."""
        return self.folder / "serve.log"

    def prepare(self) -> None:
        """Make the folder."""
        (self.folder / "recordings").mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(_CONFIG)

    def clear(self) -> None:
        """Remove what a service left, its database as well, wherever that lies."""
        place = find_place(self.data, SYSTEM_FOLDER)
        cluster.Cluster(self.data).stop()
        if place is not None:
            shutil.rmtree(place.folder)
        shutil.rmtree(self.data, ignore_errors=True)


@dataclass(frozen=True)
class Service:
    """A service that takes calls.

    Attributes:
        port: Its port on loopback.
        pid: The API's process.
        ready_s: How long it took from its start to its readiness, in seconds.
        data: Its data folder.
    """

    port: int
    pid: int
    ready_s: float
    data: Path

    def database(self) -> psycopg.Connection:
        """A connection to its ledger."""
        return psycopg.connect(str(cluster.running(self.data)))

    def fill(self, jobs: int, *, waiting: int) -> None:
        """Write many jobs into its ledger, the newest of which wait."""
        filling = _FILL.read_bytes()
        for name, number in ((b":count", jobs), (b":waiting", waiting)):
            filling = filling.replace(name, b"%d" % number)
        with self.database() as connection:
            connection.execute(filling)

    def move_database(self, cores: Collection[int]) -> None:
        """Have the database use these cores only, now and later."""
        with self.database() as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
            backend = connection.info.backend_pid
            stat = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()
        for pid in (int(stat[1]), *(pid for (pid,) in rows)):  # the first starts all others
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores)

    def forget_peak(self) -> None:
        """Begin anew to look for the highest memory."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """The most memory that the API's process had resident at once."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6


@contextmanager
def serving(site: Site, *options: str, cores: Collection[int] | None = None) -> Iterator[Service]:
    """Run the service.

    Args:
        site: Where from.
        options: Further options of `stemset serve`.
        cores: The only cores that it and its database may use.
    """
    port = _free_port()
    command = [STEMSET, "serve", "--port", str(port), "--data", site.data, *options]
    command += ["--config", site.folder / "config.yaml"]
    print(f"  $ {shlex.join(map(str, command))}", flush=True)
    used = cores or os.sched_getaffinity(0)
    begun = time.perf_counter()
    with site.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, used),  # noqa: PLW1509 - no threads here
        )
    try:
        _wait_ready(port, process, site.log)
        yield Service(port, process.pid, time.perf_counter() - begun, site.data)
    finally:
        process.terminate()
        process.wait(STOP_WITHIN_S)


def _free_port() -> int:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        return finder.getsockname()[1]


def _wait_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it says that it is ready; whoever calls before is answered when it can."""
    limit = time.perf_counter() + READY_WITHIN_S
    while time.perf_counter() < limit and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_WITHIN_S)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        connection.close()
        time.sleep(0.002)
    raise SystemExit(f"The service does not start:\n{log.read_text()[-2000:]}")
