"""The server's main process: who it is by its own note, and proof that this still holds.

PostgreSQL's note ``postmaster.pid`` outlives a killed server, and its number may be given to any
other process. A number is believed only if that process is a PostgreSQL server at work in this
cluster.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stemset.postgres._folders import read_file, write_file
from stemset.postgres._place import Place
from stemset.postgres._process import birth, serves
from stemset.postgres._socket import SOCKET_LOCK

# Source: PostgreSQL, src/include/utils/pidfile.h
_PID, _SOCKET_FOLDER, _STATE = 0, 4, 7
_READY = "ready"
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server that was proven to be a cluster's.

    Attributes:
        pid: Its process.
        born: When that was born: another process of the same number was not.
        socket_folder: Where it listens; empty while it does not yet.
        is_ready: Whether it takes connections.
    """

    pid: int
    born: str
    socket_folder: str
    is_ready: bool

    def lives(self) -> bool:
        """Whether it still runs."""
        return birth(self.pid) == self.born

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.lives():
            os.kill(self.pid, number)


def find_postmaster(place: Place) -> Postmaster | None:
    """The server that runs on a cluster now; None if there is none."""
    lines = _note(place)
    pid = _number(lines[_PID])
    born = birth(pid) if pid > 1 else None
    if born is None or not serves(pid, place.cluster):
        return None
    return Postmaster(pid, born, lines[_SOCKET_FOLDER], lines[_STATE] == _READY)


def disown(place: Place, socket_folder: Path) -> None:
    """Make what a dead server noted harmless, whoever has its number now.

    PostgreSQL refuses to start while a noted process lives, whatever it is; but not if that is
    its own parent. The rest of the note stays: by it PostgreSQL finds the memory that helpers of
    the dead server may still share, and waits for them as it must.

    Args:
        place: The cluster, of which no server was found.
        socket_folder: Where the next server will listen, and nobody else.
    """
    account = place.account
    owner = {"uid": account.uid, "gid": account.gid} if account.is_another else {}
    for note in (_path(place), socket_folder / SOCKET_LOCK):
        text = read_file(note)
        if text is not None:
            _, newline, rest = text.partition("\n")
            write_file(note, f"{os.getpid()}{newline}{rest}", mode=0o600, **owner)


def wait_until(holds: Callable[[], bool], limit_s: float) -> bool:
    """Wait for something; False if it does not come about in time."""
    limit = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(_POLL_S)
    return True


def _note(place: Place) -> list[str]:
    lines = (read_file(_path(place)) or "").splitlines()
    return [line.strip() for line in lines] + [""] * (_STATE + 1 - len(lines))


def _path(place: Place) -> Path:
    return place.cluster / "postmaster.pid"


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
