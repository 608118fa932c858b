"""Run a command as a whole process tree and measure it from outside.

* CPU-seconds are user plus system time of the process and of every descendant that was waited for,
  as the kernel counts them (`wait4`).
* Memory is the proportional set size: what each process of the tree has in memory, shared pages
  divided by the number of processes that share them, summed over the tree every 50 ms. Linux only.
"""

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SAMPLE_S = 0.05
KIB_PER_MB = 1e6 / 1024

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Measured:
    """What one run of a command cost.

    Attributes:
        wall_s: From start to end.
        cpu_s: User and system time of the whole tree.
        peak_mb: Highest memory of the tree; None if it was not sampled.
        watched_s: When the thing that was watched for happened; None if nothing was watched.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float | None = None
    watched_s: float | None = None


def measure(command: Command, log: Path) -> Measured:
    """Run a command to its end, its output into a log, and nothing beside it.

    Raises:
        SystemExit: The command failed; the message holds the end of its log.
    """
    run = _Run(command, log)
    return run.wait()


def measure_memory(command: Command, log: Path) -> Measured:
    """Run a command and sample its memory, which costs it a little time."""
    run = _Run(command, log)
    peak = 0.0

    def sample() -> bool:
        nonlocal peak
        peak = max(peak, tree_pss_mb(run.pid))
        return False

    with _Repeated(sample, every_s=SAMPLE_S):
        measured = run.wait()
    return Measured(measured.wall_s, measured.cpu_s, peak_mb=peak)


def measure_until(happened: Callable[[], bool], command: Command, log: Path) -> Measured:
    """Run a command to its end and note when something happened, to 2 ms."""
    run = _Run(command, log)
    with _Repeated(happened, every_s=0.002) as watch:
        measured = run.wait()
    watched_s = watch.ended - run.started if watch.ended else None
    return Measured(measured.wall_s, measured.cpu_s, watched_s=watched_s)


def tree_pss_mb(pid: int) -> float:
    """Sum the proportional set sizes of a process and its descendants, in MB."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
        for task in tasks:
            children += (task / "children").read_text()
    except OSError:  # it has ended meanwhile
        return 0.0
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return own / KIB_PER_MB + sum(tree_pss_mb(int(child)) for child in children.split())


class _Run:
    """A command that was started."""

    def __init__(self, command: Command, log: Path) -> None:
        self._typed = shlex.join(map(str, command))
        self._log = log
        print(f"  $ {self._typed}", flush=True)
        with log.open("wb") as output:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        self.pid = self._process.pid

    def wait(self) -> Measured:
        try:
            _, status, usage = os.wait4(self.pid, 0)
        except BaseException:
            self._process.terminate()
            raise
        wall_s = time.perf_counter() - self.started
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode != 0:
            end = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
            raise SystemExit(f"{end}\nFailed with {self._process.returncode}: {self._typed}")
        return Measured(wall_s, usage.ru_utime + usage.ru_stime)


class _Repeated:
    """A thread that calls a function again and again, until it says yes or the block ends."""

    def __init__(self, function: Callable[[], bool], *, every_s: float) -> None:
        self._function = function
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ended: float | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            if self._function():
                self.ended = time.perf_counter()
                return
