"""A seeded run of many jobs through many faults, and the account of what became of them."""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from chaos_clients import Clients, wait_until_ended
from chaos_faults import Faults
from database_server import DatabaseServer
from numpy.typing import NDArray
from s3_server import running_server
from service_deployment import ServiceDeployment, service
from short_takes import Takes

from stemset.catalogue.entries import find
from stemset.catalogue.installation import install
from stemset.catalogue.weights import example_song
from stemset.storage.settings import StoreSettings

ENDED_WITHIN_S = 240.0
MODEL = "spleeter-2stems"
MAY_FAIL_WITH = {"computing_crashed"}
_TELL_EVERY_S = 15.0
_GATEWAY = "radosgw"
_FOLDERS_OF_PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Account:
    """What became of the jobs.

    Attributes:
        seed: The same seed decides the same.
        faults: How often each fault was made.
        accepted: Jobs that clients were promised.
        states: How they ended.
        lost: Promised jobs that have not ended, or are not there.
        doubled: Requests with two jobs, jobs with two usage rows.
        wasted_s: Seconds of computing that came to nothing.
        used_s: Seconds of computing that are charged.
        problems: All that is not as it must be, in words.
    """

    seed: int
    faults: Counter[str]
    accepted: int
    states: Counter[str]
    lost: int
    doubled: int
    wasted_s: float
    used_s: float
    problems: list[str]

    def __str__(self) -> str:
        rows = [
            ("seed", self.seed),
            ("faults", sum(self.faults.values())),
            *((f"  {name}", times) for name, times in sorted(self.faults.items())),
            ("accepted", self.accepted),
            ("completed", self.states["complete"]),
            ("cancelled", self.states["cancelled"]),
            ("failed", self.states["error"]),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("computing used", f"{self.used_s:.1f} s"),
            ("computing wasted", f"{self.wasted_s:.1f} s"),
        ]
        table = [f"{name:28} {value}" for name, value in rows]
        return "\n".join([*table, *(f"BROKEN: {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class Extent:
    """How much is done; both must be reached.

    Attributes:
        seconds: How long faults are made at least.
        jobs: How many jobs clients must have been promised at least.
    """

    seconds: float = 0.0
    jobs: int = 0

    def left_s(self, passed_s: float, accepted: int) -> float | None:
        """How long it goes on as it has gone so far, None if that is not known yet."""
        left_s = max(0.0, self.seconds - passed_s)
        if accepted < self.jobs:
            if not accepted:
                return None
            left_s = max(left_s, passed_s / accepted * (self.jobs - accepted))
        return left_s


def run(
    song: NDArray[np.float32],
    seed: int,
    extent: Extent,
    log_folder: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> Account:
    """Run jobs and faults for a while, wait until all jobs have ended, and take stock.

    Args:
        song: What recordings are cut from.
        seed: Decides what is done, though not how long it takes.
        extent: How long faults are made.
        log_folder: An empty folder for the logs of every process.
        tell: Is told now and then how far it is.
    """
    with ExitStack() as stack:
        bucket = stack.enter_context(bucket_if_any())
        server = DatabaseServer()
        server.start()
        stack.callback(server.stop)
        conninfo = server.new_database()
        deployment = stack.enter_context(service(log_folder, conninfo, bucket))
        roles = ("serve", "consume", *(("worker",) if bucket else ()))
        faults = Faults(deployment, server, _random(seed, "faults"), roles)
        clients = Clients(deployment, Takes(song, seed), _random(seed, "clients"))
        faults.begin()
        _let_run(clients, faults, extent, tell)
        tell(f"{len(clients.promised)} jobs accepted; waiting until the last has ended")
        wait_until_ended(deployment, ENDED_WITHIN_S)
        tell("all stems are read")
        return _account(seed, deployment, clients, faults)


def example_samples() -> NDArray[np.float32]:
    """The default model's example song; installs the model if need be."""
    install(find(MODEL))
    song = example_song(find(MODEL))
    assert song is not None
    with av.open(str(song)) as file:
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
    samples = np.concatenate(blocks, axis=1)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


@contextmanager
def bucket_if_any() -> Iterator[StoreSettings | None]:
    """A bucket on the real S3 server, if that is installed."""
    if shutil.which(_GATEWAY, path=_FOLDERS_OF_PROGRAMS) is None:
        yield None
        return
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running_server(Path(folder) / "s3") as server,
    ):
        yield server.new_bucket()


def _let_run(clients: Clients, faults: Faults, extent: Extent, tell: Callable[[str], None]) -> None:
    stopped = threading.Event()
    watching = threading.Thread(target=_watch, args=(clients, faults, extent, stopped, tell))
    watching.start()
    calling = clients.run_until(stopped)
    try:
        faults.run_until(stopped)
        faults.end()
    finally:
        stopped.set()
        watching.join()
        calling.join()
    clients.check()


def _watch(
    clients: Clients,
    faults: Faults,
    extent: Extent,
    stopped: threading.Event,
    tell: Callable[[str], None],
) -> None:
    """Stop it when as much is done as was wanted, and tell how far it is."""
    began_s = told_s = time.monotonic()
    while not stopped.wait(0.1):
        now_s, accepted = time.monotonic(), len(clients.promised)
        left_s = extent.left_s(now_s - began_s, accepted)
        if left_s == 0 or not clients.is_running:
            stopped.set()
        elif now_s - told_s > _TELL_EVERY_S:
            told_s = now_s
            left = "" if left_s is None else f", about {left_s / 60:.1f} min left"
            tell(f"{accepted} jobs accepted, {faults.made.total()} faults{left}")


def _account(seed: int, deployment: ServiceDeployment, clients: Clients, faults: Faults) -> Account:
    books = deployment.books
    jobs = {row["id"]: row for row in books.rows("SELECT * FROM jobs")}
    known = [jobs[each] for each in clients.promised if each in jobs]
    states = Counter(row["state"] for row in known)
    open_ones = [row for row in known if row["ended_at"] is None]
    lost = len(set(clients.promised)) - len(known) + len(open_ones)
    failures = Counter(row["error"]["code"] for row in jobs.values() if row["error"])
    undone = [each for each in clients.cancels if jobs[each]["state"] != "cancelled"]
    attempts = books.rows("SELECT outcome, computing_s FROM attempts")
    problems = [
        *books.problems(),
        *(f"doubled: {each}" for each in clients.doubled),
        *(f"refused: {each}" for each in clients.refused),
        *(f"failed with {code}" for code in failures if code not in MAY_FAIL_WITH),
        *(f"cancelled, and did not stay so: {each}" for each in undone),
        *([f"lost: {lost}"] if lost else []),
    ]
    return Account(
        seed=seed,
        faults=faults.made,
        accepted=len(clients.promised),
        states=states,
        lost=lost,
        doubled=len(clients.doubled) + sum(each.startswith("I3") for each in problems),
        wasted_s=sum(row["computing_s"] for row in attempts if row["outcome"] != "complete"),
        used_s=sum(row["computing_s"] for row in books.rows("SELECT computing_s FROM usage")),
        problems=problems,
    )


def _random(seed: int, whose: str) -> random.Random:
    return random.Random(f"{seed} {whose}")  # noqa: S311 - nothing is secret here
