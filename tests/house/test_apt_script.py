"""`scripts/apt`: who may install packages, and several who do at once."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "apt"
# Every Debian and Ubuntu has it: to install it changes nothing.
PACKAGE = "base-files"


def apt(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SCRIPT, *words],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def at_once(count: int, *words: str) -> "list[subprocess.CompletedProcess[str]]":
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: apt(*words), range(count)))


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def installs() -> None:
    if apt("can").returncode != 0:
        pytest.skip("packages are installed here neither by root nor with sudo")


@pytest.mark.usefixtures("installs")
def test_several_installs_at_once_wait_for_one_another():
    for call in at_once(4, "install", PACKAGE):
        assert call.returncode == 0, call.stderr
        assert call.stdout == "", "what calls this prints a path"
        assert PACKAGE in call.stderr


@pytest.mark.usefixtures("installs")
def test_package_that_is_unknown_is_asked_for_again_with_new_lists():
    for call in at_once(2, "install", "no-such-package-of-stemset"):
        assert call.returncode != 0
        assert call.stderr.count("Unable to locate package no-such-package-of-stemset") == 2
        assert "Could not get lock" not in call.stderr


@pytest.mark.parametrize("has_apt", [False, True])
def test_machine_that_installs_nothing_says_so_by_its_status(tmp_path: Path, has_apt: bool):
    for name in ("sh", "env"):
        found = which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    if has_apt:
        write_program(tmp_path / "apt-get", "exit 0")
        write_program(tmp_path / "id", "echo 1000")
        write_program(tmp_path / "sudo", "echo a password is required; exit 1")

    call = apt("can", PATH=str(tmp_path))

    assert (call.stdout, call.stderr) == ("", "")
    assert call.returncode != 0


def test_call_without_packages_is_told_what_there_is():
    call = apt("install")

    assert call.returncode == 2
    assert "scripts/apt install PACKAGE..." in call.stderr
