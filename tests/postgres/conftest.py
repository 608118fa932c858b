"""Homes of embedded servers: a user, a data folder, and the end of whatever was started there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from postgres_launcher import Home, MakeHome, User, new_folder

THIS_USER = User()
UNPRIVILEGED = User("nobody")


@contextmanager
def home_of(user: User, name: str = "data") -> Iterator[Home]:
    """A home for a user, or a skip by name where this user cannot be."""
    if user != THIS_USER:
        skip_unless_possible(user)
    folder = new_folder()
    if user.name:
        os.chown(folder, user.uid, -1)
    home = Home(folder, user, name)
    try:
        yield home
    finally:
        home.remove()
        shutil.rmtree(folder)


def skip_unless_possible(user: User) -> None:
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip(f"only root on Linux can run a program as {user}")
    probe = user.command(sys.executable, "-c", "import stemset")
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip(f"this checkout is closed to {user}")


@pytest.fixture(scope="module", params=[THIS_USER, UNPRIVILEGED], ids=["this", "unprivileged"])
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """Give a home of each kind of user, which the tests of a module share in any state."""
    with home_of(request.param) as home:
        yield home


@pytest.fixture(scope="module")
def own_home() -> Iterator[Home]:
    """Give a home of this user, which the tests of a module share in any state."""
    with home_of(THIS_USER) as home:
        yield home


@pytest.fixture
def make_home() -> Iterator[MakeHome]:
    """Give new homes of a user and name."""
    with ExitStack() as stack:
        yield lambda user=THIS_USER, name="data": stack.enter_context(home_of(user, name))
