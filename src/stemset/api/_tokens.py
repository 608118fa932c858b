"""Who a token or a session is, remembered for a moment: pages that poll do not ask the database."""

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

from stemset.jobs import tokens
from stemset.jobs.caller import Caller
from stemset.jobs.database import Database

REMEMBERED_S = 5.0
"""A token that is revoked, or expires, can still be used for so long."""

_AT_MOST = 4096

Authenticate = Callable[[Database, str], Awaitable[Caller]]
"""Finds whose text it is. Raises Unauthenticated, and what the database raises."""


class Tokens:
    """Verifies tokens, or sessions. Used within one event loop."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
        authenticate: Authenticate = tokens.authenticate,
    ) -> None:
        """Know where they are kept.

        Args:
            database: The ledger's.
            clock: Seconds from any moment, never backwards.
            authenticate: Looks one up.
        """
        self._database = database
        self._clock = clock
        self._authenticate = authenticate
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def caller(self, text: str) -> Caller:
        """Whose text it is. Raises Unauthenticated, and what the database raises."""
        key = _key(text)
        known = self._known.get(key)
        if known and self._clock() < known[1]:
            return known[0]
        asked_at = self._clock()
        self._known.pop(key, None)
        caller = await self._authenticate(self._database, text)
        if len(self._known) >= _AT_MOST:
            self._known.clear()
        self._known[key] = (caller, asked_at + REMEMBERED_S)
        return caller

    def forget(self, text: str) -> None:
        """Look a text up the next time, whatever is remembered of it."""
        self._known.pop(_key(text), None)


def _key(text: str) -> bytes:
    """Not the text itself: memory can end up in a dump."""
    return sha256(text.encode("utf-8", "replace")).digest()
