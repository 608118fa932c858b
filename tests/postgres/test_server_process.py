"""What is known of processes, on systems with and without ``/proc``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_launcher import Home

from stemset.postgres import _process
from stemset.postgres._process import birth, serves


@pytest.fixture(params=["proc", "ps"], autouse=True)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into ``/proc``, or ask ``ps``."""
    if request.param == "ps":
        monkeypatch.setattr(_process, "_PROC", Path("/nowhere"))
    elif not Path("/proc/self/stat").exists():
        pytest.skip(f"{sys.platform} has no /proc")


def test_birth_of_a_living_process_stays():
    assert birth(os.getpid()) is not None
    assert birth(os.getpid()) == birth(os.getpid())


def test_birth_of_a_dead_process_is_none():
    with subprocess.Popen(["true"]) as process:
        process.wait()

    assert birth(process.pid) is None


def test_birth_of_a_process_that_nobody_waited_for_is_none():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert birth(process.pid) is None
    process.wait()


def test_server_serves_its_own_cluster_alone(own_home: Home):
    own_home.start()
    cluster = own_home.cluster.resolve()

    assert serves(own_home.postmaster().pid, cluster)
    assert not serves(own_home.postmaster().pid, cluster / "base")
    assert not serves(os.getpid(), cluster)


def test_other_program_in_the_folder_serves_nothing(own_home: Home):
    own_home.start()
    with subprocess.Popen(["sleep", "60"], cwd=own_home.cluster) as process:
        assert not serves(process.pid, own_home.cluster.resolve())
        process.kill()
