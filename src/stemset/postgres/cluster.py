"""The embedded server of a data folder: started when need be, reused when it runs, stopped."""

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemset.errors import DatabaseFailed, DatabaseStartFailed, DatabaseUnavailable, NoSpace
from stemset.postgres._binaries import find_binaries
from stemset.postgres._folders import private_folder
from stemset.postgres._making import make_cluster
from stemset.postgres._place import (
    SYSTEM_FOLDER,
    find_place,
    make_data_folder,
    make_place,
    notes_of,
)
from stemset.postgres._postmaster import Postmaster, find_postmaster, wait_until
from stemset.postgres._socket import remove_socket_folder
from stemset.postgres._starting import Starting, conninfo_at
from stemset.postgres.data_lock import hold

__all__ = ["Cluster", "hold", "is_made", "running"]

_TURN_LIMIT_S = 90.0
_START_LIMIT_S = 60.0  # recovery after a power cut reads at most 256 MB
_FULL = {errno.ENOSPC, errno.EDQUOT}
# Fast: sessions are ended, and a checkpoint is written. Immediate: the next start recovers.
_STOPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


class Cluster:
    """One data folder's database server. Its calls block, and may come from any thread.

    It is no owner: who calls holds the data folder (``hold``).
    """

    def __init__(
        self, data: Path, *, system: Path = SYSTEM_FOLDER, limit_s: float = _START_LIMIT_S
    ) -> None:
        """Name a cluster; nothing is made or started yet.

        Args:
            data: The data folder.
            system: As root, the folder of root's that the cluster lies in.
            limit_s: How long a start may take once the cluster is made, in seconds.
        """
        self._limit_s = limit_s
        self._data = data.absolute()
        self._system = system
        self._server: Postmaster | None = None

    @property
    def conninfo(self) -> str:
        """The address of the database ``stemset`` for its role ``stemset``, once it was started.

        Raises:
            DatabaseUnavailable: It was not started.
        """
        if self._server is None:
            raise DatabaseUnavailable(f"The database in {self._data} was not started.")
        return conninfo_at(self._server.socket_folder)

    def start(self) -> None:
        """Make the cluster if there is none, start its server if none runs, and connect once.

        Raises:
            DatabaseNewer: The cluster was made by a newer PostgreSQL.
            DatabaseStartFailed: It was made by an older one, or cannot be made or started.
            DatabaseUnavailable: A server runs and does not answer, or another start takes too long.
            MissingDependency: PostgreSQL's programs are not installed.
            NoSpace: The disk is full.
        """
        with _own_errors(self._data):
            make_data_folder(self._data)
            private_folder(notes_of(self._data))
            with _turn(self._data):
                place = make_place(self._data, self._system)
                binaries = find_binaries(place.account, place.system)
                make_cluster(place, binaries)
                self._server = Starting(place, binaries, self._limit_s).until_it_answers()

    def is_alive(self) -> bool:
        """Whether the server that was started or found still runs; no connection is made."""
        return self._server is not None and self._server.lives()

    def stop(self) -> None:
        """Stop the server, whoever started it, and wait for its end.

        Raises:
            DatabaseFailed: It does not end.
        """
        place = find_place(self._data, self._system)
        if place is None:
            return
        with _own_errors(self._data), _turn(self._data):
            server = find_postmaster(place)
            if server is not None:
                _stop(server)
                remove_socket_folder(place)
        self._server = None


def is_made(data: Path, *, system: Path = SYSTEM_FOLDER) -> bool:
    """Whether a data folder has a database, running or not.

    Args:
        data: The data folder.
        system: As root, the folder of root's that the cluster lies in.
    """
    return find_place(data, system) is not None


def running(data: Path, *, system: Path = SYSTEM_FOLDER) -> str | None:
    """The address of the database of a server that takes connections now; None if none does.

    Args:
        data: The data folder.
        system: As root, the folder of root's that the cluster lies in.
    """
    place = find_place(data, system)
    server = find_postmaster(place) if place else None
    return conninfo_at(server.socket_folder) if server and server.is_ready else None


def _stop(server: Postmaster) -> None:
    """End a server, each time more harshly."""
    for number, limit_s in _STOPS:
        server.signal(number)
        if wait_until(lambda: not server.lives(), limit_s):
            return
    raise DatabaseFailed(f"The database's process {server.pid} does not end.")


@contextmanager
def _turn(data: Path) -> Iterator[None]:
    """Wait until nobody else makes, starts or stops the cluster of a data folder."""
    lock = notes_of(data) / "start.lock"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not wait_until(lambda: _locks(descriptor), _TURN_LIMIT_S):
            raise DatabaseUnavailable(
                f"Another process has been starting the database in {data} for"
                f" {_TURN_LIMIT_S:.0f} s."
            )
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _own_errors(data: Path) -> Iterator[None]:
    """Say what the operating system refuses in Stemset's own errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"The disk is full: the database in {data} needs some.") from error
        raise DatabaseStartFailed(f"The database in {data} cannot be used: {error}.") from error
