"""Pairing: codes that a person carries from this machine's screen to a phone, with its camera.

A code is good for one phone, for ten minutes, and for as long as this process lives: it is kept in
memory alone. It stands behind ``#`` in an address, which browsers keep to themselves.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Annotated, cast

from fastapi import Depends, Request

from stemset.errors import PairingRefused, ServiceBusy, StemsetError

CODE_VALID_S = 600.0
WRONG_CODES_PER_MINUTE = 20
"""From one address; more are not even looked at."""

_CODE_BYTES = 16
_CODES_AT_MOST = 16
_ADDRESSES_AT_MOST = 10_000
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Invitation:
    """What brings a phone here.

    Attributes:
        url: What the phone is to open, with its code.
        expires_at: When the code ends.
    """

    url: str
    expires_at: datetime


class Pairing:
    """What phones are paired by. Used within one event loop."""

    def __init__(
        self, address: str, authority: bytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know where phones come in; there is no code yet.

        Args:
            address: The phones' door, as a URL.
            authority: The certificate that vouches for it, in DER.
            clock: Seconds from any moment, never backwards.
        """
        self.address = address
        self.authority = authority
        self._clock = clock
        self._ends_at_s: dict[str, float] = {}
        self._wrong = Counter[str]()
        self._minute_ends_s = 0.0

    def invite(self) -> Invitation:
        """Make a code; of many the oldest ends."""
        code = token_urlsafe(_CODE_BYTES)
        self._ends_at_s[code] = self._clock() + CODE_VALID_S
        while len(self._ends_at_s) > _CODES_AT_MOST:
            del self._ends_at_s[next(iter(self._ends_at_s))]
        expires_at = datetime.now(UTC) + timedelta(seconds=CODE_VALID_S)
        return Invitation(f"{self.address}/pair#{code}", expires_at)

    @contextmanager
    def used(self, code: str, by: str) -> Iterator[None]:
        """Use a code up, unless what is done with it fails.

        Args:
            code: What a phone sent.
            by: The address that it sent it from.

        Raises:
            PairingRefused: There is no such code, or not any more.
            ServiceBusy: The address has sent too many wrong ones.
        """
        self._check_patience(by)
        given = code.encode("utf-8", "replace")
        known = [each for each in self._ends_at_s if compare_digest(each.encode(), given)]
        ends_at_s = self._ends_at_s.pop(known[0]) if known else 0.0
        if ends_at_s <= self._clock():
            self._wrong[by] += 1
            raise PairingRefused(
                "This code was used already, or is too old: it is good for one phone and for "
                f"{CODE_VALID_S / _MINUTE_S:.0f} minutes. Scan a new one."
            )
        try:
            yield
        except StemsetError:
            self._ends_at_s[code] = ends_at_s
            raise

    def _check_patience(self, by: str) -> None:
        now_s = self._clock()
        if now_s >= self._minute_ends_s:
            self._wrong.clear()
            self._minute_ends_s = now_s + _MINUTE_S
        if self._wrong[by] >= WRONG_CODES_PER_MINUTE or len(self._wrong) > _ADDRESSES_AT_MOST:
            raise ServiceBusy("Too many wrong codes came from there. Try again in a minute.")


async def pairing_of(request: Request) -> Pairing | None:
    """The pairing of the application that a request came to; None if phones have no door."""
    return cast("Pairing | None", request.app.state.pairing)


PairingOf = Annotated[Pairing | None, Depends(pairing_of)]
