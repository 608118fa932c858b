"""What processes, database and folders take, sampled again and again, kept line by line.

A sample is a JSON object: ``at_s``, and for each of whom is watched (``serve``, ``database``, …)
which life of it that was (a restart begins another) and its values. Memory is in MB.
"""

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from soak_slopes import Trend, trend

from stemset.errors import StorageError
from stemset.storage.store import Store

MB = 1e6
BOOKS = ("jobs", "attempts", "usage", "recordings")
"""Tables that are kept: what was done, and what it cost."""

_TABLES = """
    SELECT stat.relname, n_live_tup, n_dead_tup, pg_total_relation_size(relid)
    FROM pg_stat_user_tables stat
"""
_OTHERS = """
    SELECT pg_database_size(current_database()),
           (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
           (SELECT count(*) FROM procrastinate_jobs), (SELECT count(*) FROM procrastinate_events),
           (SELECT count(*) FROM events), (SELECT count(*) FROM doomed),
           (SELECT count(*) FROM uploads), (SELECT count(*) FROM jobs)
"""

Values = dict[str, float]
Probe = Callable[[], "tuple[str, Values] | None"]
"""Gives which life it is, and the values; None if there is nothing to look at now."""


@dataclass
class Samples:
    """Samples, in memory and in a file.

    Attributes:
        probes: How each of whom is watched is looked at, by name.
        file: Where a line is written for each sample.
        every_s: How often.
    """

    probes: Mapping[str, Probe]
    file: Path
    every_s: float
    _lives: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _began_s: float = field(default_factory=time.monotonic)

    def run_until(self, stopped: threading.Event) -> threading.Thread:
        """Begin in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(stopped,), name="samples")
        thread.start()
        return thread

    def take(self) -> None:
        """Look at everything once."""
        at_s = round(time.monotonic() - self._began_s, 2)
        line: dict[str, Any] = {"at_s": at_s}
        for name, probe in self.probes.items():
            if (seen := probe()) is None:
                continue
            life, values = seen
            line[name] = {"life": life, **values}
            for what, value in values.items():
                self._lives[name, what][life].append((at_s, value))
        with self.file.open("a") as file:
            file.write(f"{json.dumps(line)}\n")

    def trends(
        self, bounds: Mapping[tuple[str, str], float], warm_up_s: float
    ) -> dict[tuple[str, str], Trend]:
        """How each series went.

        Args:
            bounds: How much it may grow in the time watched, of whom and what; what is not named
                may grow for ever.
            warm_up_s: The first seconds of each life are left out.
        """
        found = {
            (name, what): trend(
                list(map(list, list(lives.values()))),
                bounds.get((name, what), float("inf")),
                warm_up_s,
            )
            for (name, what), lives in list(self._lives.items())
        }
        return {series: each for series, each in found.items() if each is not None}

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(self.every_s):
            self.take()


def processes_probe(find: Callable[[], Sequence[psutil.Process]]) -> Probe:
    """Looks at processes, all together; the first one's birth begins a life.

    Args:
        find: Finds them, none if they do not run.
    """

    def probe() -> tuple[str, Values] | None:
        with suppress(psutil.Error, OSError):
            processes = find()
            if not processes:
                return None
            first = processes[0]
            values = [each for each in map(_of_process, processes) if each is not None]
            names = values[0]
            summed = {name: sum(each[name] for each in values) for name in names}
            return f"{first.pid}@{first.create_time():.2f}", summed
        return None

    return probe


def database_probe(conninfo: str) -> Probe:
    """Looks at a database; its life never ends, since all that it holds outlives its server.

    Args:
        conninfo: The database.
    """

    def probe() -> tuple[str, Values] | None:
        try:
            with psycopg.connect(conninfo, connect_timeout=2) as connection:
                connection.execute("SET statement_timeout = '5s'")
                tables = connection.execute(_TABLES).fetchall()
                others = connection.execute(_OTHERS).fetchone()
        except psycopg.Error:
            return None
        assert others is not None
        size, connections, entries, entry_events, events, doomed, uploads, jobs = others
        books = sum(total for name, _, _, total in tables if name in BOOKS)
        values = {
            "size MB": size / MB,
            "books MB": books / MB,
            "beside books MB": (size - books) / MB,
            "dead rows": float(sum(dead for _, _, dead, _ in tables)),
            "connections": float(connections),
            "queue entries": float(entries),
            "queue events": float(entry_events),
            "events": float(events),
            "doomed": float(doomed),
            "uploads": float(uploads),
            "jobs": float(jobs),
        }
        largest = {f"table {name} MB": total / MB for name, _, _, total in tables}
        return "", values | largest

    return probe


def folder_probe(folder: Path) -> Probe:
    """Looks at how many files lie in a folder, and their bytes.

    Args:
        folder: The folder; what vanishes meanwhile is not counted.
    """

    def probe() -> tuple[str, Values]:
        sizes = list(_sizes(folder))
        return "", {"MB": sum(sizes) / MB, "files": float(len(sizes))}

    return probe


def store_probe(store: Store) -> Probe:
    """Looks at how many objects lie in a store, and their bytes.

    Args:
        store: The store.
    """

    def probe() -> tuple[str, Values] | None:
        try:
            sizes = [info.bytes for info in store.list_below("")]
        except StorageError:
            return None
        return "", {"MB": sum(sizes) / MB, "objects": float(len(sizes))}

    return probe


def seldom(probe: Probe, every: int) -> Probe:
    """A probe that looks only now and then, since it costs much.

    Args:
        probe: The probe.
        every: It looks at the first sample of so many.
    """
    count = iter(range(1 << 60))
    return lambda: probe() if next(count) % every == 0 else None


def _of_process(process: psutil.Process) -> Values | None:
    with suppress(psutil.Error, OSError), process.oneshot():
        memory = process.memory_full_info()
        return {
            "MB": getattr(memory, "pss", memory.uss) / MB,  # shared pages by their share
            "resident MB": memory.rss / MB,
            "descriptors": float(process.num_fds()),
            "threads": float(process.num_threads()),
            "processes": 1.0,
        }
    return None


def _sizes(folder: Path) -> Iterable[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                yield (Path(place) / name).stat().st_size
