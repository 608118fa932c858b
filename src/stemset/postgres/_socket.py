"""The folder of the server's socket: nobody else can enter it, and its path is short."""

import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from stemset.postgres._folders import given_folder, is_private, read_file, write_file
from stemset.postgres._place import Place

_NAME = ".s.PGSQL.5432"
SOCKET_LOCK = f"{_NAME}.lock"
_NOTE = "socket-folder"
_HOST_SEPARATOR = ","  # libpq takes what holds it for several hosts
_LIMIT_BYTES = (
    103  # of a socket's path; Source: sun_path has 104 on macOS, 108 on Linux, one is NUL
)


def socket_folder(place: Place) -> Path:
    """The folder for a server that is to be started.

    It lies beside the cluster if its path is fit for a socket, else in the system's place for
    temporary files. A name there is random, so that nobody can take it first, and noted, so that a
    server that is started again is found where it was.

    Raises:
        OSError: It cannot be made.
    """
    folder = place.folder / "socket"
    if _fits(folder):
        given_folder(folder, place.account.uid, place.account.gid, 0o700)
        return folder
    note = place.notes / _NOTE
    noted = Path(read_file(note) or "/")
    if noted.name.startswith(_prefix(place)) and _taken(noted, place):
        return noted
    folder = _temporary(place)
    write_file(note, str(folder), mode=0o600)
    return folder


def remove_socket_folder(place: Place) -> None:
    """Remove the folder of a server that was stopped, if it lies among temporary files."""
    noted = Path(read_file(place.notes / _NOTE) or "/")
    if noted.name.startswith(_prefix(place)):
        with suppress(OSError):
            noted.rmdir()


def _taken(folder: Path, place: Place) -> bool:
    """Take the noted folder again; it may have been cleared away with other temporary files."""
    with suppress(OSError):
        folder.mkdir(mode=0o700)
        given_folder(folder, place.account.uid, place.account.gid, 0o700)
    return is_private(folder, place.account.uid)


def _temporary(place: Place) -> Path:
    prefix = _prefix(place)
    parent = Path(tempfile.gettempdir())
    if not _fits(parent / f"{prefix}12345678"):
        parent = Path("/tmp")  # noqa: S108 -- mkdtemp makes a folder that nobody else can enter
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    given_folder(folder, place.account.uid, place.account.gid, 0o700)
    return folder


def _prefix(place: Place) -> str:
    """Begins the names of one cluster's folders: a copy of a data folder makes others."""
    return f"stemset-{sha256(os.fsencode(place.cluster)).hexdigest()[:8]}-"


def _fits(folder: Path) -> bool:
    path = folder / _NAME
    return len(os.fsencode(path)) <= _LIMIT_BYTES and _HOST_SEPARATOR not in str(path)
