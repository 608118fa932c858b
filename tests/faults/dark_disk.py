"""A disk that goes dark: what the system had not yet written to it is lost.

It is an ext4 file system in a file. The cut is ext4's own, which its developers test it with: from
that moment on nothing reaches the file, and neither the log nor any page that is only in memory is
written when it is unmounted. Mounted again, its log is replayed. What it had handed to its device
by then is there: a disk that loses its own cache as well is not imitated, and ext4 asks that cache
to be emptied wherever a program asks for safety.
"""

import fcntl
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
"""``EXT4_IOC_SHUTDOWN``. Source: Linux, include/uapi/linux/ext4.h."""

_WITHOUT_THE_LOG = 2
"""``EXT4_GOING_FLAGS_NOLOGFLUSH``. Source: the same."""

_BYTES = 600 << 20
_FREE_WITHIN_S = 10.0


class DarkDisk:
    """A disk at a folder.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        """Make it, and mount it; skips by name where that cannot be done."""
        self.folder = folder
        self._file = folder.with_name(f"{folder.name}.ext4")
        self._places: list[tuple[Path, Path]] = []
        folder.mkdir()
        with self._file.open("wb") as file:
            file.truncate(_BYTES)
        made = ["mkfs.ext4", "-q", "-F", "-m", "0", str(self._file)]
        if sys.platform != "linux" or os.geteuid() or _refused(made) or _refused(self._mounting):
            pytest.skip("a disk in a file can be made only by root on Linux with loop devices")

    @property
    def _mounting(self) -> list[str]:
        return ["mount", "-o", "loop", str(self._file), str(self.folder)]

    def show(self, name: str, place: Path) -> None:
        """Make a folder of it known at another place of this machine, too."""
        (self.folder / name).mkdir()
        place.mkdir(parents=True)
        self._places.append((self.folder / name, place))
        _bind(self.folder / name, place)

    def cut(self) -> None:
        """From now on nothing reaches the disk."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_THE_LOG))
        finally:
            os.close(descriptor)

    def restore(self) -> None:
        """Have it read anew, once nobody uses it.

        From a copy: a program that has mounts of its own may hold the dark one, and would share it.
        """
        self._unmount()
        copy = self._file.with_suffix(".copy")
        subprocess.run(["cp", "--sparse=always", str(self._file), str(copy)], check=True)
        self._file.unlink()
        copy.rename(self._file)
        subprocess.run(self._mounting, check=True)
        for folder, place in self._places:
            _bind(folder, place)

    def close(self) -> None:
        """Remove it with all that lies on it."""
        self._unmount()
        for _, place in self._places:
            place.rmdir()
        self._file.unlink()

    def _unmount(self) -> None:
        for place in [*(place for _, place in self._places), self.folder]:
            limit = time.monotonic() + _FREE_WITHIN_S
            while _refused(["umount", str(place)]):
                assert time.monotonic() < limit, f"{place} is still in use"
                time.sleep(0.1)


@contextmanager
def dark_disk(folder: Path) -> Iterator[DarkDisk]:
    """A disk at a folder that is not there yet; it is gone in the end."""
    disk = DarkDisk(folder)
    try:
        yield disk
    finally:
        disk.close()


def _bind(folder: Path, place: Path) -> None:
    subprocess.run(["mount", "--bind", str(folder), str(place)], check=True)


def _refused(command: list[str]) -> bool:
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0
