"""Addresses of an output's files that need no token, for ``<audio>`` and a page's ``fetch``.

A bucket's are presigned; the others are this API's own, signed with a secret that all processes on
one database share::

    /api/media/<profile>/<output_name>/<attempt>/<file>?expires=<unix>&signature=<hex>

An address stays the same for up to an hour, so that a browser finds again what it kept.
"""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from weakref import WeakKeyDictionary

from stemset.api.service import Service
from stemset.errors import Forbidden, LinkExpired
from stemset.jobs import secrets
from stemset.jobs.database import Database
from stemset.storage.keys import AttemptFolder

VALID_FOR = timedelta(hours=6)
"""At least; longer than anybody plays one recording without a break."""

_STEP = timedelta(hours=1)
_SECRET = "media"  # noqa: S105 - its name
_secrets: WeakKeyDictionary[Database, bytes] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of an output's files.

    Attributes:
        urls: One for each file, in order.
        expire_at: When they end.
    """

    urls: Sequence[str]
    expire_at: datetime


async def make_links(
    service: Service, folder: AttemptFolder, files: Sequence[str], now: datetime
) -> Links:
    """Make the addresses of files.

    Args:
        service: What routes have.
        folder: Where they lie.
        files: Their names.
        now: The time, with its zone.

    Raises:
        InvalidKey: A file has an impossible name.
        DatabaseError: The secret is not to be had.
    """
    keys = [folder.key(file) for file in files]
    if service.store_settings.kind == "s3":
        expires_s = int(VALID_FOR.total_seconds())
        urls = await service.threads.run(service.store.sign, "GET", keys, expires_s=expires_s)
        return Links(urls, now + VALID_FOR)
    secret = await media_secret(service.database)
    expires = _expires(now)
    return Links([_url(secret, key, expires) for key in keys], datetime.fromtimestamp(expires, UTC))


def signed_query(secret: bytes, key: str, now: datetime) -> tuple[str, datetime]:
    """What an address of ours ends with so that it needs no token, and when that ends."""
    expires = _expires(now)
    query = f"expires={expires}&signature={_signature(secret, key, expires)}"
    return query, datetime.fromtimestamp(expires, UTC)


def check_link(secret: bytes, key: str, expires: int, signature: str, now: datetime) -> None:
    """Refuse an address that was not made here, or has ended.

    Raises:
        Forbidden: Its signature is not ours.
        LinkExpired: It has ended.
    """
    if not hmac.compare_digest(_signature(secret, key, expires), signature):
        raise Forbidden("The link's signature does not fit; ask for the output's links anew.")
    if now.timestamp() >= expires:
        raise LinkExpired("The link has expired; ask for the output's links anew.")


async def media_secret(database: Database) -> bytes:
    """The secret that addresses are signed with; it never changes. Raises DatabaseError."""
    if database not in _secrets:
        async with database.transaction() as connection:
            secret = await secrets.get(connection, _SECRET)
        _secrets[database] = secret
    return _secrets[database]


def _expires(now: datetime) -> int:
    step_s = _STEP.total_seconds()
    return int(math.ceil((now + VALID_FOR).timestamp() / step_s) * step_s)


def _url(secret: bytes, key: str, expires: int) -> str:
    path = quote(key.removeprefix("outputs/"))
    return f"/api/media/{path}?expires={expires}&signature={_signature(secret, key, expires)}"


def _signature(secret: bytes, key: str, expires: int) -> str:
    return hmac.digest(secret, f"{expires} {key}".encode(), "sha256").hex()
