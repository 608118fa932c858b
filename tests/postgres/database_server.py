"""A real embedded server for tests, empty databases on it, and what can be done to it."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psycopg
from postgres_launcher import new_folder
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from stemset.postgres._place import Place, find_place
from stemset.postgres._postmaster import Postmaster, find_postmaster
from stemset.postgres._process import birth
from stemset.postgres._starting import conninfo_at
from stemset.postgres.cluster import Cluster

_WAIT_S = 20.0


class DatabaseServer:
    """A server of its own, which the launcher made and started.

    Attributes:
        data: Its data folder.
        cluster: Its launcher.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Know it; nothing is started yet.

        Args:
            folder: Where all of it is to lie, by default in a new folder.
        """
        self._folder = folder or new_folder()
        self.data = self._folder / "data"
        self.system = self._folder / "system"
        self.cluster = Cluster(self.data, system=self.system)

    def start(self) -> None:
        """Start it, or find that it runs; also after ``kill``."""
        self.cluster.start()

    def new_database(self, template: str = "template1") -> str:
        """Make a database that is a copy of a template; returns its address."""
        name = f"test_{uuid.uuid4().hex}"
        self._administer(
            sql.SQL("CREATE DATABASE {} OWNER stemset TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return conninfo_at(self._server.socket_folder, database=name)

    def drop(self, conninfo: str) -> None:
        """Remove a database, whoever is connected to it."""
        name = conninfo_to_dict(conninfo)["dbname"]
        self._administer(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name)))
        )

    def slow_commits(self, conninfo: str) -> None:
        """Have each commit of a database wait for a tenth of a second before it is certain."""
        name = sql.Identifier(str(conninfo_to_dict(conninfo)["dbname"]))
        for setting in (sql.SQL("commit_delay = 100000"), sql.SQL("commit_siblings = 0")):
            self._administer(sql.SQL("ALTER DATABASE {} SET {}").format(name, setting))

    def kill(self) -> None:
        """Cut its power: every process of it is killed; returns when none is left."""
        pids = self.processes()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        limit = time.monotonic() + _WAIT_S
        while any(birth(pid) for pid in pids):
            assert time.monotonic() < limit, "the server does not die"
            time.sleep(0.005)

    def freeze(self) -> None:
        """Stop all its processes' clocks: connections are taken, and nothing is answered."""
        for pid in self.processes():
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for pid in self.processes():
            _signal(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove all that it was."""
        if self.is_running:
            self.thaw()
        self.cluster.stop()
        shutil.rmtree(self._folder)

    @property
    def is_running(self) -> bool:
        """Whether a server runs."""
        place = self._place
        return place is not None and find_postmaster(place) is not None

    def processes(self) -> list[int]:
        """The postmaster, and all its children."""
        postmaster = self._server.pid
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = (line.split() for line in listed.stdout.splitlines())
        return [postmaster, *(int(pid) for pid, parent in pairs if int(parent) == postmaster)]

    @property
    def _place(self) -> Place | None:
        return find_place(self.data.resolve(), self.system)

    @property
    def _server(self) -> Postmaster:
        place = self._place
        server = find_postmaster(place) if place else None
        assert server is not None, "the server does not run"
        return server

    def _administer(self, statement: sql.Composed) -> None:
        address = conninfo_at(self._server.socket_folder, role="postgres")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
