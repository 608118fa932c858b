"""What callers show to prove who they are: ``<kind>_<id>_<secret>``. Of the secret a hash is kept.

The kind lets scanners of published code find such a text, the id is looked up, and the secret is
compared.
"""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

_SECRET_BYTES = 32
_ID_BYTES = 6
_ID = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")


@dataclass(frozen=True, slots=True)
class Made:
    """A text that was made.

    Attributes:
        id: What it is looked up by.
        secret_sha256: What is kept of its secret.
        text: It itself, which cannot be had again.
    """

    id: str
    secret_sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A text that a caller showed.

    Attributes:
        id: What it is looked up by.
        secret_sha256: The hash of its secret.
    """

    id: str
    secret_sha256: str

    def fits(self, secret_sha256: str) -> bool:
        """Whether its secret is the one whose hash was kept."""
        return compare_digest(secret_sha256, self.secret_sha256)


def make(kind: str) -> Made:
    """Make a text of a kind: its secret has 256 random bits."""
    made_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    return Made(made_id, _hash(secret), f"{kind}_{made_id}_{secret}")


def read(kind: str, text: str) -> Shown | None:
    """Read a text, None if it is none of this kind."""
    match = re.fullmatch(rf"{kind}_({_ID.pattern})_([A-Za-z0-9_-]{{43}})", text)
    return Shown(match[1], _hash(match[2])) if match else None


def is_id(text: str) -> bool:
    """Whether a text looks like the id of one."""
    return _ID.fullmatch(text) is not None


def _hash(secret: str) -> str:
    """A secret of 256 random bits needs no slow hash: it cannot be guessed."""
    return sha256(secret.encode()).hexdigest()
