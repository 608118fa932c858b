"""Faults at the pace of a soak: whatever has a memory of its own must live long enough to show it.

So many faults are made in a soak of any length that about ten computing processes of each kind live
one after the other, and two or three of the others.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from chaos_faults import Faults

FAULTS = 128
"""About so many in a whole soak, however long it is."""

_AWAY_S = (0.5, 4.0)


@dataclass
class SlowFaults(Faults):
    """What is done to a service in a soak; see ``chaos_faults``."""

    def _acts(self) -> list[Callable[[], None]]:
        return [
            *[self._kill_computing] * 6,
            *[self._kill_database] * 2,
            *[self._freeze_database] * 8,
            *[self._freeze_shortly] * 20,
            self._kill_part,
            self._stop_part,
        ]

    def _freeze_shortly(self) -> None:
        role = self._role()
        self._note(f"SIGSTOP {role}")
        part = self._parts[role]
        part.signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(*_AWAY_S))
        part.signal(signal.SIGCONT)


def pace(seconds: float) -> tuple[float, float]:
    """The pauses between faults in a soak of some length, at least and at most, in seconds."""
    mean_s = seconds / FAULTS
    return max(2.0, 0.5 * mean_s), max(6.0, 1.5 * mean_s)
