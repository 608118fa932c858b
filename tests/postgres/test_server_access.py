"""Who gets in: the one user of the system that launches the server, and nobody else."""

import os
import shutil
import subprocess
import sys

import psutil
import pytest
from postgres_launcher import Home, User

CONNECT = """
import sys, psycopg
try:
    psycopg.connect(sys.argv[1], connect_timeout=5)
except psycopg.OperationalError as error:
    sys.exit(str(error))
"""
ONLY_ROOT = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"),
    reason="only root on Linux can be somebody else",
)


def refusal(user: User, address: str) -> str:
    """What a user is told that connects; empty if it is let in."""
    command = user.command(sys.executable, "-c", CONNECT, address)
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return result.stderr


@pytest.fixture(scope="module")
def address(home: Home) -> str:
    """Start the server that the tests of a user share."""
    with home.launcher() as launcher:
        launcher.call("start")
        return launcher.call("conninfo")


def test_user_who_launched_is_let_in(home: Home, address: str):
    assert refusal(home.user, address) == ""


@ONLY_ROOT
def test_other_user_cannot_reach_the_socket(address: str):
    assert "Permission denied" in refusal(User("daemon"), address)


@ONLY_ROOT
@pytest.mark.parametrize("role", ["stemset", "postgres"])
def test_other_user_who_could_reach_the_socket_is_refused(home: Home, address: str, role: str):
    for path in (home.folder, home.folder / "socket", home.folder / "socket" / ".s.PGSQL.5432"):
        path.chmod(0o777)
    if home.user.name:
        home.data.chmod(0o755)
    try:
        said = refusal(User("daemon"), address.replace("stemset@", f"{role}@"))

        assert f'Peer authentication failed for user "{role}"' in said
    finally:
        (home.folder / "socket").chmod(0o700)
        home.folder.chmod(0o700 if home.user.name else 0o710)


@ONLY_ROOT
@pytest.mark.parametrize("home", [User()], indirect=True)
def test_user_whom_the_server_runs_as_is_refused_if_another_launched_it(home: Home, address: str):
    assert home.server_user.name

    assert "Peer authentication failed" in refusal(home.server_user, address)


@ONLY_ROOT
@pytest.mark.parametrize("home", [User("nobody")], indirect=True)
def test_root_is_refused_if_another_launched_it(home: Home, address: str):
    assert home.user != User()

    assert "Peer authentication failed" in refusal(User(), address)


@pytest.mark.usefixtures("address")
def test_server_listens_on_no_network(home: Home):
    opened = [each for process in home.processes() for each in connections(process)]

    assert [each for each in opened if each.family.name in {"AF_INET", "AF_INET6"}] == []
    assert home.processes() != []


@pytest.mark.usefixtures("address")
def test_server_never_runs_as_root(home: Home):
    assert {process.uids().effective for process in home.processes()} - {0} != set()
    assert all(process.uids().effective for process in home.processes())


def connections(process: psutil.Process) -> list:
    return process.net_connections(kind="inet")
