"""Folders of ours: made with the owner and mode that they need, and checked before each use."""

import os
import secrets
import stat
from pathlib import Path

from stemset.audio.files import sync_folder
from stemset.errors import DatabaseStartFailed


def private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, or check that it is one.

    Raises:
        DatabaseStartFailed: Something else stands there.
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    if not is_private(folder, os.geteuid()):
        raise DatabaseStartFailed(
            f"{folder} must be a folder of user {os.geteuid()} that nobody else can enter"
            " (chmod 700)."
        )


def is_private(folder: Path, uid: int) -> bool:
    """Whether it is a folder (no link to one) of a user's that nobody else can enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def root_folder(folder: Path) -> None:
    """Make a folder that everybody may cross and only root may change, or check that it is one.

    Raises:
        DatabaseStartFailed: Something else stands there.
        OSError: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o755)  # whatever the umask says
    except FileExistsError:
        found = folder.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid or mode & 0o022 or not mode & 0o001:
            raise DatabaseStartFailed(
                f"{folder} must be a folder of root's that everybody can enter and nobody else can"
                f" write to (chmod 755); its mode is {mode:o}."
            ) from None


def given_folder(folder: Path, uid: int, gid: int, mode: int) -> None:
    """Make a folder for another user, inside one that only root can change.

    A start that was killed may have left it half made: then it is finished.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.fchown(descriptor, uid, gid)
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def write_file(path: Path, text: str, *, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Write a file all at once: others see the old one or the new one."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_file(path: Path, limit: int = 65536) -> str | None:
    """Read the end of a file (no link to one); None if there is none that this user may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        return os.pread(descriptor, limit, max(0, found.st_size - limit)).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
