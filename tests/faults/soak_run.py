"""A soak: a whole service, used for hours while faults are made, and whether anything grows."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from chaos_clients import wait_until_ended
from chaos_run import MAY_FAIL_WITH, bucket_if_any
from database_server import DatabaseServer
from numpy.typing import NDArray
from service_deployment import ServiceDeployment, service
from short_takes import Takes
from soak_calendar import Calendar
from soak_faults import SlowFaults, pace
from soak_people import Diary, people
from soak_samples import (
    Probe,
    Samples,
    database_probe,
    folder_probe,
    processes_probe,
    seldom,
    store_probe,
)
from soak_slopes import Trend, Verdict

CONFIG = """
retention: {inputs: 1d, outputs: 1d}
profiles:
  - {name: here, source_folder: recordings, output: {format: flac}}
  - {name: far, source_folder: recordings, remote: true, output: {format: flac}}
"""
ENDED_WITHIN_S = 240.0
WEEKS = 16
"""About so many pass, however long a soak is."""

_LEAST_WEEK_S = 45.0
_WEEKS_AT_LAST = 2  # what is past its age is removed a day after that was seen
_WARM_UP_SHARE, _WARM_UP_S = 0.05, 600.0
_STORE_EVERY = 10
_OF_PROCESSES = {"MB": 24.0, "descriptors": 8.0, "threads": 4.0}
_ROLES = ("serve", "consume", "worker", "consume computing", "worker computing")
BOUNDS = {
    **{(role, what): most for role in _ROLES for what, most in _OF_PROCESSES.items()},
    ("database server", "MB"): 48.0,
    ("database server", "processes"): 5.0,
    ("database", "beside books MB"): 8.0,
    ("database", "dead rows"): 5_000.0,
    ("database", "connections"): 5.0,
    ("database", "queue entries"): 10.0,
    ("database", "queue events"): 50.0,
    ("database", "events"): 2_000.0,
    ("database", "doomed"): 100.0,
    ("database", "uploads"): 100.0,
    ("data folder", "MB"): 24.0,
    ("data folder", "files"): 60.0,
    ("store", "MB"): 80.0,
    ("store", "objects"): 600.0,
}
"""How much each may grow in the time watched, however long that is: the longer, the less is seen.
A soak of 8 hours tells a leak of 3 MB an hour, or of one descriptor."""


@dataclass(frozen=True)
class Plan:
    """What a soak is.

    Attributes:
        seconds: How long it takes.
        seed: Decides what is done.
        folder: Where samples, the summary and logs are kept.
        persons: How many send recordings.
        pause_s: How long these rest at most.
        is_calm: Whether no faults are made.
        is_far: Whether there are a bucket and a worker, where there is the S3 server.
    """

    seconds: float
    seed: int
    folder: Path
    persons: int = 3
    pause_s: float = 2.0
    is_calm: bool = False
    is_far: bool = True

    @property
    def warm_up_s(self) -> float:
        """What belongs to the first seconds of a process is not looked at."""
        return min(_WARM_UP_S, _WARM_UP_SHARE * self.seconds)

    @property
    def sample_every_s(self) -> float:
        return max(1.0, self.seconds / 2000)

    @property
    def table_every_s(self) -> float:
        return max(60.0, self.seconds / 48)


@dataclass(frozen=True)
class Outcome:
    """What came of a soak.

    Attributes:
        plan: What it was to be.
        took_s: How long it was.
        trends: How each series went, by whom and what.
        did: What people did, and how often.
        faults: How often each fault was made.
        weeks: How many passed, and how cleaning went.
        states: How accepted jobs ended.
        problems: All that is not as it must be, in words.
    """

    plan: Plan
    took_s: float
    trends: dict[tuple[str, str], Trend]
    did: Counter[str]
    faults: Counter[str]
    weeks: Counter[str]
    states: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def grown(self) -> list[str]:
        """What grows beyond its bound."""
        return [
            f"{name}: {what}"
            for (name, what), each in self.trends.items()
            if each.verdict is Verdict.GROWS
        ]

    def __str__(self) -> str:
        accounts = [("faults", self.faults), ("people", self.did), ("calendar", self.weeks)]
        accounts.append(("jobs", self.states))
        lines = [
            f"{name}: " + ", ".join(f"{times} {what}" for what, times in sorted(account.items()))
            for name, account in accounts
            if account
        ]
        return "\n".join(
            [
                table(self.trends),
                f"after {self.took_s / 60:.1f} min, seed {self.plan.seed}",
                *lines,
                *(f"GROWS: {each}" for each in self.grown),
                *(f"BROKEN: {each}" for each in self.problems),
            ]
        )

    def write(self, file: Path) -> None:
        """Write it for programs."""
        series = {
            f"{name}: {what}": {
                "first": each.first,
                "last": each.last,
                "per_hour": each.slope and vars(each.slope),
                "hours": each.hours,
                "bound": None if each.bound == float("inf") else each.bound,
                "verdict": each.verdict,
            }
            for (name, what), each in self.trends.items()
        }
        whole: dict[str, Any] = {
            "seed": self.plan.seed,
            "took_s": self.took_s,
            "did": self.did,
            "faults": self.faults,
            "calendar": self.weeks,
            "jobs": self.states,
            "grown": self.grown,
            "problems": self.problems,
            "series": series,
        }
        file.write_text(f"{json.dumps(whole, indent=1)}\n")


def run(song: NDArray[np.float32], plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Run a soak to its end, or until Ctrl-C.

    Args:
        song: What recordings are cut from.
        plan: What it is to be.
        tell: Is told what is seen, now and then.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        bucket = stack.enter_context(bucket_if_any()) if plan.is_far else None
        server = DatabaseServer()
        server.start()
        stack.callback(server.stop)
        conninfo = server.new_database()
        made = stack.enter_context(
            service(plan.folder / "service", conninfo, bucket, config=CONFIG)
        )
        roles = ("serve", "consume", *(("worker",) if bucket else ()))
        faults = SlowFaults(made, server, chance(plan, "faults"), roles, pace(plan.seconds))
        faults.begin()
        soak = _Soak(plan, made, server, faults, conninfo, tell)
        took_s = soak.let_run(song)
        return soak.taken_stock(took_s)


class _Soak:
    """One that is under way."""

    def __init__(
        self,
        plan: Plan,
        made: ServiceDeployment,
        server: DatabaseServer,
        faults: SlowFaults,
        conninfo: str,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._service = made
        self._faults = faults
        self._tell = tell
        self._diary = Diary()
        week_s = max(_LEAST_WEEK_S, plan.seconds / WEEKS)
        self._calendar = Calendar(made, conninfo, week_s)
        self._samples = Samples(
            _probes(made, server, faults, conninfo),
            plan.folder / "samples.jsonl",
            plan.sample_every_s,
        )

    def let_run(self, song: NDArray[np.float32]) -> float:
        """Run everything side by side for as long as planned. Returns how long it took."""
        plan, stopped, began_s = self._plan, threading.Event(), time.monotonic()
        everybody = people(
            self._service,
            self._diary,
            lambda number: Takes(song, 1000 * plan.seed + number),
            lambda whose: chance(plan, whose),
            number=plan.persons,
            pause_s=plan.pause_s,
        )
        threads = [each.run_until(stopped) for each in [*everybody, self._samples, self._calendar]]
        if not plan.is_calm:
            making = threading.Thread(target=self._faults.run_until, args=(stopped,))
            making.start()
            threads.append(making)
        try:
            self._look_on(began_s)
        except KeyboardInterrupt:
            self._tell("ended early")
        finally:
            took_s = time.monotonic() - began_s
            stopped.set()
            for thread in threads:
                thread.join()
        self._faults.end()
        return took_s

    def taken_stock(self, took_s: float) -> Outcome:
        """Wait until all jobs have ended, and look at everything."""
        self._tell("waiting until the last job has ended, then reading all stems")
        wait_until_ended(self._service, ENDED_WITHIN_S)
        for _ in range(_WEEKS_AT_LAST):
            self._calendar.let_a_week_pass(settled_s=0)
        jobs = {row["id"]: row for row in self._service.books.rows("SELECT * FROM jobs")}
        outcome = self._outcome(took_s)
        outcome.states.update(row["state"] for row in jobs.values())
        outcome.problems.extend(
            [
                *self._service.books.problems(),
                *self._diary.broken,
                *(f"lost: {each}" for each in self._diary.accepted if each not in jobs),
                *_unlike(self._diary, jobs),
                *_failures(jobs.values()),
            ]
        )
        outcome.write(self._plan.folder / "summary.json")
        return outcome

    def _look_on(self, began_s: float) -> None:
        """Tell how it goes until the time is over."""
        end_s = began_s + self._plan.seconds
        while (now_s := time.monotonic()) < end_s:
            time.sleep(min(self._plan.table_every_s, max(0.0, end_s - now_s)))
            outcome = self._outcome(time.monotonic() - began_s)
            outcome.write(self._plan.folder / "summary.json")
            left_s = max(0.0, end_s - time.monotonic())
            self._tell(f"\n{outcome}\n{left_s / 60:.1f} min left")

    def _outcome(self, took_s: float) -> Outcome:
        return Outcome(
            self._plan,
            took_s,
            self._samples.trends(BOUNDS, self._plan.warm_up_s),
            Counter(self._diary.did),
            Counter(self._faults.made),
            Counter(self._calendar.passed),
        )


def table(trends: dict[tuple[str, str], Trend]) -> str:
    """How each series with a bound went, and the books."""
    head = ["", "first quarter", "last quarter", "per hour", "95 %", "may grow by", ""]
    rows = [head]
    for (name, what), each in sorted(trends.items()):
        if each.bound == float("inf") and (name, what) not in _SHOWN:
            continue
        slope = each.slope
        rows.append(
            [
                f"{name}, {what}",
                f"{each.first:.1f}",
                f"{each.last:.1f}",
                "-" if slope is None else f"{slope.value:+.2f}",
                "-" if slope is None else f"{slope.low:+.2f} to {slope.high:+.2f}",
                "-" if each.bound == float("inf") else f"{each.bound:g}",
                "-" if each.bound == float("inf") else each.verdict,
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def chance(plan: Plan, whose: str) -> random.Random:
    """What decides for somebody."""
    return random.Random(f"{plan.seed} {whose}")  # noqa: S311 - nothing is secret here


_SHOWN = {("database", "books MB"), ("database", "size MB"), ("database", "jobs")}


def _probes(
    made: ServiceDeployment, server: DatabaseServer, faults: SlowFaults, conninfo: str
) -> dict[str, Probe]:
    def part(role: str) -> Callable[[], list[psutil.Process]]:
        def find() -> list[psutil.Process]:
            running = faults.running().get(role)
            return [psutil.Process(running.process.pid)] if running is not None else []

        return find

    def computing(role: str) -> Callable[[], list[psutil.Process]]:
        def find() -> list[psutil.Process]:
            running = faults.running().get(role)
            return running.computing()[:1] if running is not None else []

        return find

    def server_processes() -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in server.processes()] if server.is_running else []

    roles = faults.roles
    return {
        **{role: processes_probe(part(role)) for role in roles},
        **{
            f"{role} computing": processes_probe(computing(role))
            for role in roles
            if role != "serve"
        },
        "database server": processes_probe(server_processes),
        "database": database_probe(conninfo),
        "data folder": folder_probe(made.data),
        "store": seldom(store_probe(made.store), _STORE_EVERY),
    }


def _unlike(diary: Diary, jobs: dict[str, dict[str, Any]]) -> list[str]:
    """Jobs that ended otherwise than their owner saw."""
    return [
        f"was {seen}, and is {jobs[job_id]['state']}: {job_id}"
        for job_id, seen in diary.accepted.items()
        if seen is not None and job_id in jobs and jobs[job_id]["state"] != seen
    ]


def _failures(jobs: Sequence[dict[str, Any]] | Any) -> list[str]:
    codes = Counter(row["error"]["code"] for row in jobs if row["error"])
    return [f"{n} × failed with {code}" for code, n in codes.items() if code not in MAY_FAIL_WITH]
