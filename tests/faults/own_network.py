"""A network of its own for a program, tied to the rest of this machine by one link that can be cut.

The program runs in a network namespace, which has nothing but its end of the link.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

import psutil
import pytest

_NAMED = "stemset-"
_FIRST_ADDRESS = (198 << 24) + (18 << 16)
"""Of networks that exist in tests only (RFC 2544). Each process of the tests has four of them."""


class Cut(StrEnum):
    """How the link is cut."""

    OFF = "off"
    """The program's machine switches its network off: no address can be reached."""

    PULLED = "pulled"
    """The cable is pulled behind it: what is sent is lost, and nothing comes back."""


@dataclass(frozen=True)
class OwnNetwork:
    """The network and its link.

    Attributes:
        namespace: Its name.
        outside: The address by which the program reaches this machine.
        link: Names of the link's two ends, the program's one first.
    """

    namespace: str
    outside: str
    link: tuple[str, str]

    @property
    def within(self) -> tuple[str, ...]:
        """What a command must begin with, to be run in it."""
        return ("ip", "netns", "exec", self.namespace)

    def cut(self, how: Cut) -> None:
        """Cut the link."""
        self._set(how, "down")

    def mend(self) -> None:
        """Have the link as it was."""
        for how in Cut:
            self._set(how, "up")

    def _set(self, how: Cut, state: str) -> None:
        if how is Cut.OFF:
            _ip("-n", self.namespace, "link", "set", self.link[0], state)
        else:
            _ip("link", "set", self.link[1], state)


@contextmanager
def own_network() -> Iterator[OwnNetwork]:
    """Make a network; skips by name where that cannot be done."""
    number = os.getpid()
    made = OwnNetwork(f"{_NAMED}{number}", _address(number, 1), (f"st{number}a", f"st{number}b"))
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network of its own can be made only by root on Linux, with iproute2")
    _remove_left_ones()
    if subprocess.run(["ip", "netns", "add", made.namespace], check=False).returncode:
        pytest.skip("this machine lets nobody make a network namespace")
    here, there = made.link
    with ExitStack() as stack:
        stack.callback(_ip, "netns", "del", made.namespace)
        _ip("link", "add", there, "type", "veth", "peer", here, "netns", made.namespace)
        stack.callback(_ip, "link", "del", there)  # whoever is still in there
        _ip("addr", "add", f"{made.outside}/30", "dev", there)
        _ip("-n", made.namespace, "addr", "add", f"{_address(number, 2)}/30", "dev", here)
        made.mend()
        yield made


def _remove_left_ones() -> None:
    """Remove what tests left that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if name.startswith(_NAMED) and not psutil.pid_exists(int(name.removeprefix(_NAMED))):
            _ip("netns", "del", name)


def _address(number: int, host: int) -> str:
    address = _FIRST_ADDRESS + 4 * (number % (1 << 15)) + host
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
