"""The user of the system that the server runs as."""

import os
import pwd
from dataclasses import dataclass
from typing import Any

from stemset.errors import DatabaseStartFailed

# Debian and others, macOS; then users that every system has and nobody signs in as.
_UNPRIVILEGED = ("postgres", "_postgres", "daemon", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system.

    Attributes:
        name: Its name.
        uid: Its number.
        gid: Its group's number.
    """

    name: str
    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        """Whether it is another user than the one that this process runs as."""
        return self.uid != os.geteuid()

    def process_options(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that run a program as this user, far from our own folder."""
        options: dict[str, Any] = {"cwd": "/", "umask": 0o077}
        if self.is_another:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options


def own_account() -> Account:
    """The user that this process runs as.

    Raises:
        DatabaseStartFailed: The system has no name for it.
    """
    try:
        return _account(pwd.getpwuid(os.geteuid()))
    except KeyError as error:
        raise DatabaseStartFailed(
            f"User {os.geteuid()} has no name on this system, and PostgreSQL needs one."
            " Set DATABASE_URL to use another server."
        ) from error


def server_account(owner_uid: int | None) -> Account:
    """The user that the server runs as: this one, or as root an unprivileged one.

    Args:
        owner_uid: The user that a cluster already belongs to, if there is one.

    Raises:
        DatabaseStartFailed: There is no such user, or the cluster belongs to somebody else.
    """
    account = own_account() if os.geteuid() else _unprivileged(owner_uid)
    if owner_uid not in {None, account.uid}:
        raise DatabaseStartFailed(
            f"The database belongs to user {owner_uid}, and this is user {account.uid}"
            f" ({account.name}). Run as its owner."
        )
    return account


def _unprivileged(owner_uid: int | None) -> Account:
    """The owner, so that a cluster keeps its user whoever is installed later; else the first."""
    accounts = [found for name in _UNPRIVILEGED if (found := _named(name))]
    if not accounts:
        raise DatabaseStartFailed(
            "PostgreSQL does not run as root, and this system has none of the users"
            f" {', '.join(_UNPRIVILEGED)}. Run as another user, or set DATABASE_URL."
        )
    return next((each for each in accounts if each.uid == owner_uid), accounts[0])


def _named(name: str) -> Account | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return _account(found) if found.pw_uid else None


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
