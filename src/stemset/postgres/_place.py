"""Where a cluster lives: in its data folder, or as root in a place that another user can reach."""

import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from stemset.errors import DatabaseStartFailed
from stemset.postgres._account import Account, server_account
from stemset.postgres._folders import (
    given_folder,
    read_file,
    root_folder,
    write_file,
)

SYSTEM_FOLDER = Path("/var/db/stemset" if sys.platform == "darwin" else "/var/lib/stemset")

_NAME = re.compile(r"[a-z0-9-]{1,24}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster lives, and who runs it.

    Attributes:
        data: The data folder, absolute and without links.
        folder: What holds the cluster: its owner is this process's user.
        account: Who runs the server.
        system: The folder of root's for what must lie outside of data folders.
    """

    data: Path
    folder: Path
    account: Account
    system: Path

    @property
    def notes(self) -> Path:
        """What is known of the cluster inside the data folder."""
        return notes_of(self.data)

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the running server says."""
        return self.folder / "log"

    @property
    def start_log(self) -> Path:
        """What the server says until its log is open."""
        return self.folder / "start.log"

    def new_part(self) -> Path:
        """A folder for a cluster in the making, which no earlier start can still write to."""
        part = self.folder / f"{self.cluster.name}.part-{secrets.token_hex(4)}"
        given_folder(part, self.account.uid, self.account.gid, 0o700)
        return part

    def parts(self) -> list[Path]:
        """Clusters whose making was interrupted."""
        return list(self.folder.glob(f"{self.cluster.name}.part-*"))


def notes_of(data: Path) -> Path:
    """The folder inside a data folder for what concerns its database."""
    return data / "postgres"


def make_data_folder(data: Path) -> None:
    """Make a data folder, which only its owner can enter.

    Raises:
        DatabaseStartFailed: It lies in the system folder, and that is not as it must be.
        OSError: It cannot be made.
    """
    if not os.geteuid() and data.absolute().is_relative_to(SYSTEM_FOLDER):
        root_folder(SYSTEM_FOLDER)  # or else a strict umask would close it to the server's user
    data.mkdir(mode=0o700, parents=True, exist_ok=True)


def find_place(data: Path, system: Path) -> Place | None:
    """The place of a data folder's cluster; None if there is none, or none for this user."""
    data = data.resolve()
    folder = notes_of(data)
    if not os.geteuid():
        name = read_file(folder / "place")
        if name is None or not _NAME.fullmatch(name):
            return None
        folder = system / name
    try:
        owner = (folder / "cluster").lstat().st_uid
    except OSError:
        return None
    return Place(data, folder, server_account(owner), system)


def make_place(data: Path, system: Path) -> Place:
    """The place of a data folder's cluster, with the folders that it needs beside the notes.

    One process at a time may call this.

    Raises:
        DatabaseStartFailed: A folder is not as it must be, or is another data folder's.
        OSError: A folder cannot be made.
    """
    data = data.resolve()
    if not str(data).isprintable():  # PostgreSQL's note of itself has a path in each line
        raise DatabaseStartFailed(f"PostgreSQL cannot work in {str(data)!r}.")
    if os.geteuid():
        folder = notes_of(data)
        place = Place(data, folder, server_account(_owner(folder)), system)
    else:
        place = _place_of_root(data, system)
    given_folder(place.log, place.account.uid, place.account.gid, 0o700)
    return place


def _place_of_root(data: Path, system: Path) -> Place:
    """A folder of root's that the server's user can cross: it owns only what lies inside."""
    root_folder(system)
    folder = system / _name(data)
    account = server_account(_owner(folder))
    given_folder(folder, 0, account.gid, 0o710)
    _claim(folder, data)
    return Place(data, folder, account, system)


def _owner(folder: Path) -> int | None:
    try:
        return (folder / "cluster").lstat().st_uid
    except FileNotFoundError:
        return None


def _name(data: Path) -> str:
    """The name of a data folder's place; a new one is noted before it is used."""
    note = notes_of(data) / "place"
    name = read_file(note)
    if name is None:
        spoken = re.sub(r"[^a-z0-9]+", "-", data.name.lower()).strip("-")[:24] or "data"
        name = f"{spoken}-{secrets.token_hex(4)}"
        write_file(note, name, mode=0o600)
    if not _NAME.fullmatch(name):
        raise DatabaseStartFailed(f"{note} does not hold the name of a place: {name[:80]!r}.")
    return name


def _claim(folder: Path, data: Path) -> None:
    """Note whose place it is, so that a copy of a data folder cannot share its database."""
    note = folder / "owner"
    owner = Path(read_file(note) or data)
    other = read_file(notes_of(owner) / "place")
    if owner != data and other == folder.name and not owner.samefile(data):
        raise DatabaseStartFailed(
            f"{data} is a copy of {owner}, and the database of both is {folder}. Dump it and"
            f" restore it into a new data folder; {notes_of(data)} must be removed for that."
        )
    if owner != data or not note.exists():
        write_file(note, str(data), mode=0o600)
