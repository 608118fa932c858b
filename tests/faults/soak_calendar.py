"""A calendar that is ahead: what has ended grows a week older at once, again and again.

What is kept for a day or a week (objects of what is past its age, orphans, numbers of events) would
not go within a soak's hours, and all of it would look like growth. Times of what is open stay.
After each such week `stemset clean --remove` runs, as it does every night elsewhere.
"""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from service_deployment import ServiceDeployment

_CLEANS_WITHIN_S = 300.0
_WEEK = "interval '8 days'"
_SETTLED_S = 300.0
_ENDED = [
    ("events", ["at"], "at"),
    ("doomed", ["created_at"], "created_at"),
    ("outputs", ["completed_at"], "completed_at"),
    ("jobs", ["created_at", "started_at", "ended_at"], "ended_at"),
    ("uploads", ["completed_at"], "completed_at"),
    ("uploads", ["touched_at"], "touched_at"),
    ("recordings", ["created_at"], "created_at"),
]
"""Tables, the times that are changed, and the one that says how old a row is."""


@dataclass
class Calendar:
    """Lets weeks pass.

    Attributes:
        service: The deployment.
        conninfo: Its database.
        every_s: A week passes each so many seconds.
        passed: How many passed, and how often what could not be done.
    """

    service: ServiceDeployment
    conninfo: str
    every_s: float
    passed: Counter[str] = field(default_factory=Counter)

    def run_until(self, stopped: threading.Event) -> threading.Thread:
        """Begin in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(stopped,), name="calendar")
        thread.start()
        return thread

    def let_a_week_pass(self, settled_s: float | None = None) -> None:
        """Make all that has ended older, and remove what is too old by then.

        Args:
            settled_s: Only what is older than so many seconds, by default old enough that nobody
                is at it.
        """
        with suppress(psycopg.Error):
            with psycopg.connect(self.conninfo, connect_timeout=5) as connection:
                connection.execute("SET lock_timeout = '5s'")
                if settled_s is None:
                    settled_s = min(_SETTLED_S, self.every_s)
                for place in _ENDED:
                    connection.execute(_older(*place, settled_s).encode())
            self.passed["weeks"] += 1
        done = subprocess.run(
            [sys.executable, "-m", "stemset", "clean", "--remove", "--json"],
            cwd=self.service.folder,
            env=self.service.environment(),
            capture_output=True,
            check=False,
            timeout=_CLEANS_WITHIN_S,
        )
        self.passed["cleaned" if done.returncode == 0 else "not cleaned"] += 1

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(self.every_s):
            self.let_a_week_pass()


def _older(table: str, moments: Sequence[str], age_from: str, settled_s: float) -> str:
    """Makes rows a week older, each one once; what somebody may still be at is left alone."""
    values = ", ".join(f"{each} = {each} - {_WEEK}" for each in moments)
    settled = f"now() - interval '{settled_s:.0f} s'"
    return (
        f"UPDATE {table} SET {values} WHERE {age_from} > now() - {_WEEK}"  # noqa: S608 - ours
        f" AND ({age_from} < {settled} OR {age_from} > now())"
    )
