"""Faults, one after the other: processes are killed, stopped and frozen, the database as well."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from database_server import DatabaseServer
from running_parts import Part
from service_deployment import ServiceDeployment

_PAUSE_S = (0.5, 4.0)
_AWAY_S = (0.2, 3.0)
_FROZEN_S = (0.2, 6.0)
_DATABASE_AWAY_S = (0.2, 7.0)
_LONG_S = 36.0  # a lease runs out meanwhile
_EVERY_LONG = 12


@dataclass
class Faults:
    """What is done to a service, and how often.

    Attributes:
        service: The deployment.
        server: Its database.
        random: Decides what is done.
        roles: The commands whose processes run; each is started again after its end.
        pause_s: How long nothing is done between two faults, at least and at most.
        made: How often each fault was made.
    """

    service: ServiceDeployment
    server: DatabaseServer
    random: random.Random
    roles: tuple[str, ...]
    pause_s: tuple[float, float] = _PAUSE_S
    made: Counter[str] = field(default_factory=Counter)
    _parts: dict[str, Part] = field(default_factory=dict)
    _count: int = 0

    def begin(self) -> None:
        """Start everything."""
        for role in self.roles:
            self._start(role)

    def run_until(self, stopped: threading.Event) -> None:
        """Make faults; at the end everything runs."""
        acts = self._acts()
        while not stopped.wait(self.random.uniform(*self.pause_s)):
            self._count += 1
            self.random.choice(acts)()
            self._mend()

    def end(self) -> None:
        """Let everything run, at last."""
        self._mend()

    def running(self) -> dict[str, Part]:
        """What was started last for each role."""
        return dict(self._parts)

    def _acts(self) -> list[Callable[[], None]]:
        """What can be done, more often what is more often here."""
        return [
            *[self._kill_part] * 4,
            *[self._stop_part] * 2,
            *[self._freeze_part] * 3,
            *[self._kill_computing] * 2,
            *[self._kill_database] * 2,
            self._freeze_database,
        ]

    def _kill_part(self) -> None:
        role = self._role()
        self._parts[role].kill()
        self._note(f"kill -9 {role}")
        self._away()

    def _stop_part(self) -> None:
        role = self._role()
        with suppress(ProcessLookupError):
            self._parts[role].terminate()
        self._note(f"SIGTERM {role}")
        self._away()

    def _freeze_part(self) -> None:
        role = self._role()
        self._note(f"SIGSTOP {role}")
        self._parts[role].signal(signal.SIGSTOP)
        is_long = self._count % _EVERY_LONG == 0
        time.sleep(_LONG_S if is_long else self.random.uniform(*_FROZEN_S))
        self._parts[role].signal(signal.SIGCONT)

    def _kill_computing(self) -> None:
        role = self.random.choice([each for each in self.roles if each != "serve"])
        with suppress(psutil.NoSuchProcess):
            for process in self._parts[role].computing():
                process.kill()
        self._note(f"kill -9 computing of {role}")

    def _kill_database(self) -> None:
        self._note("kill -9 database")
        self.server.kill()
        time.sleep(self.random.uniform(*_DATABASE_AWAY_S))
        self.server.start()

    def _freeze_database(self) -> None:
        self._note("SIGSTOP database")
        self.server.freeze()
        time.sleep(self.random.uniform(*_DATABASE_AWAY_S))
        self.server.thaw()

    def _role(self) -> str:
        return self.random.choice(self.roles)

    def _note(self, fault: str) -> None:
        self.made[fault] += 1

    def _away(self) -> None:
        time.sleep(self.random.uniform(*_AWAY_S))

    def _mend(self) -> None:
        for role, part in self._parts.items():
            if not part.is_running:
                self._start(role)

    def _start(self, role: str) -> None:
        start = {
            "serve": lambda: self.service.serve("--no-compute"),
            "consume": self.service.consume,
            "worker": self.service.worker,
        }
        self._parts[role] = start[role]()
