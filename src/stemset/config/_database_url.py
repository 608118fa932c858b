"""``DATABASE_URL``: whether it can be a PostgreSQL database's address. No message repeats it."""

import re

from stemset.errors import InvalidConfig

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^?]*)")
_SCHEMES = ("postgresql", "postgres")
_PAIR = r"\w+\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)+)"
_PAIRS = re.compile(rf"\s*{_PAIR}(?:\s+{_PAIR})*\s*")
_HOW = "Write postgresql://user:password@host/database."


def checked(text: str | None) -> str | None:
    """``DATABASE_URL``, a URL or libpq's ``key=value`` pairs; None if it is not set.

    Raises:
        InvalidConfig: It is neither. The message does not repeat it: it may hold a password.
    """
    if not text:
        return None
    if url := _URL.match(text):
        _check_url(*url.groups())
    elif not _PAIRS.fullmatch(text):
        raise InvalidConfig(f"DATABASE_URL is no address of a PostgreSQL database. {_HOW}")
    return text


def _check_url(scheme: str, rest: str) -> None:
    if scheme not in _SCHEMES:
        raise InvalidConfig(
            f"DATABASE_URL is no address of a PostgreSQL database: it begins with {scheme}://."
            f" {_HOW}"
        )
    # Else a part of the password would be the name of a host or a port, which messages repeat.
    if rest.count("@") > 1 or "@" in rest.partition("/")[2]:
        raise InvalidConfig(
            "DATABASE_URL cannot be read: special characters of a user's name or password must be"
            " percent-encoded, @ as %40, / as %2F."
        )
