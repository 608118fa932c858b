"""A PostgreSQL server as a provider runs one: on TCP, and whoever has the password may come in.

Its programs are those of the embedded one, started without Stemset's launcher, which would not
listen on TCP.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from postgres_launcher import new_folder
from psycopg.conninfo import make_conninfo

from stemset.postgres._account import server_account
from stemset.postgres._binaries import Binaries, find_binaries

_PASSWORD = "of-loopback/only"  # noqa: S105 - of this server alone
_WAIT_S = 20.0


@dataclass(frozen=True)
class PasswordDatabase:
    """A running server.

    Attributes:
        port: Its port on loopback.
        binaries: Its programs, and ``pg_dump``, ``pg_restore``, ``psql``.
    """

    port: int
    binaries: Binaries

    def url(self, name: str) -> str:
        """The address of a database, as ``DATABASE_URL`` takes it."""
        password = _PASSWORD.replace("/", "%2F")
        return f"postgresql://stemset:{password}@127.0.0.1:{self.port}/{name}"

    def new(self, name: str) -> str:
        """Make an empty database; gives its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)


@contextmanager
def running_database() -> Iterator[PasswordDatabase]:
    """A server, for as long as it is wanted."""
    folder = new_folder()
    account = server_account(None)
    try:
        binaries = find_binaries(account, folder / "system")
        place = folder / "place"
        place.mkdir()
        (place / "password").write_text(_PASSWORD)
        shutil.chown(place, account.uid, account.gid)
        _make(place, binaries, account.process_options())
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = [f"port={port}", "listen_addresses=127.0.0.1", "fsync=off", "io_method=sync"]
        settings = [word for each in options for word in ("-c", each)]
        with subprocess.Popen(
            [
                binaries.program("postgres"),
                *("-D", place / "cluster", "-k", ""),
                *settings,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account.process_options(),
        ) as server:
            try:
                database = PasswordDatabase(port, binaries)
                _wait_until_it_answers(database, server)
                yield database
            finally:
                server.send_signal(2)  # SIGINT: sessions are ended
                server.wait(_WAIT_S)
    finally:
        shutil.rmtree(folder)


def _make(place: Path, binaries: Binaries, options: dict[str, Any]) -> None:
    subprocess.run(
        [
            binaries.program("initdb"),
            *("-D", place / "cluster", "--username=stemset", f"--pwfile={place / 'password'}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        stdout=subprocess.DEVNULL,
        check=True,
        **options,
    )


def _wait_until_it_answers(database: PasswordDatabase, server: "subprocess.Popen[Any]") -> None:
    address = make_conninfo(database.url("postgres"), connect_timeout=5)
    limit = time.monotonic() + _WAIT_S
    while time.monotonic() < limit:
        assert server.poll() is None, "the server ended"
        with suppress(psycopg.OperationalError):
            psycopg.connect(address).close()
            return
        time.sleep(0.02)
    raise AssertionError("the server does not answer")
