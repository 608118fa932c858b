"""What computing costs where it is paid for by the time that a machine is awake.

```text
   asked for          takes the order                  ended                        asleep
  ─────┬──────────────────┬──────────────────────────────┬─────────────────────────────┬────▶
       │      start       │          computing           │            tail             │
       │                  │  (transfer is a part of it)  │  until the next order, or   │
       │                  │                              │  for the idle period        │
```

The cost is all three times the price: a platform asks for the tail as for work.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

MONTH_PATTERN = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

_HOUR_S = 3600.0
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Rate:
    """What a machine costs.

    Attributes:
        name: The machine's, as the configuration calls it.
        hour: Price of an hour.
        currency: Three letters.
        idle_s: Seconds without an order until it sleeps, 0 for one that is not paid for idling.
        source: Where the price was found.
        as_of: When.
    """

    name: str
    hour: float
    currency: str
    idle_s: float
    source: str
    as_of: str

    def of(self, seconds: float) -> float:
        """What so many seconds cost."""
        return seconds * self.hour / _HOUR_S


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, in UTC.

    Attributes:
        year: The year.
        month: 1–12.
    """

    year: int
    month: int

    @classmethod
    def now(cls) -> Self:
        """This one."""
        today = datetime.now(UTC)
        return cls(today.year, today.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what is written as ``2026-11``. Raises ValueError if it is not."""
        if not MONTH_PATTERN.fullmatch(text):
            message = f"a month is written such as 2026-11, got {text!r}"
            raise ValueError(message)
        year, month = text.split("-")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        """As ``parse`` reads it."""
        return f"{self.year}-{self.month:02}"

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def plus(self, months: int) -> Self:
        """So many months later."""
        years, month = divmod(self.month - 1 + months, _MONTHS)
        return type(self)(self.year + years, month + 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost.

    Attributes:
        currency: Three letters.
        amount: In that currency.
        start_s: Seconds from the order until it was taken, while nothing else was done.
        computing_s: Seconds from then until its end, transfers included.
        transfer_s: The part of them that was spent on fetching the recording and storing stems.
        tail_s: Seconds awake afterwards.
    """

    currency: str
    amount: float
    start_s: float
    computing_s: float
    transfer_s: float
    tail_s: float

    @classmethod
    def nothing(cls, currency: str) -> Self:
        """Nothing was spent."""
        return cls(currency, 0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def awake_s(self) -> float:
        """All that was paid for."""
        return self.start_s + self.computing_s + self.tail_s

    def plus(self, other: "Cost") -> "Cost":
        """Both together; they are in one currency."""
        return Cost(
            self.currency,
            self.amount + other.amount,
            self.start_s + other.start_s,
            self.computing_s + other.computing_s,
            self.transfer_s + other.transfer_s,
            self.tail_s + other.tail_s,
        )

    def as_json(self) -> Mapping[str, object]:
        """As it is told to programs, rounded to what can be known."""
        return {
            "currency": self.currency,
            "amount": round(self.amount, 6),
            "start_s": round(self.start_s, 2),
            "computing_s": round(self.computing_s, 2),
            "transfer_s": round(self.transfer_s, 2),
            "tail_s": round(self.tail_s, 2),
        }


def beyond_cap(profile: str, cap: float, spent: float, expected: float, rate: Rate) -> str | None:
    """Why something is not to be begun in this month, None if it may be.

    Args:
        profile: The profile.
        cap: What its orders may cost in a month.
        spent: What they cost so far.
        expected: What this would cost; 0 if that is not known.
        rate: What is paid.
    """
    if spent < cap and spent + expected <= cap:
        return None
    may, are, this = (in_money(each, rate.currency) for each in (cap, spent, expected))
    more = f", and this would cost about {this}" if expected else ""
    return f"{profile} may cost {may} a month (monthly_cap): {are} of it are spent{more}."


def in_money(amount: float, currency: str) -> str:
    """An amount in words: cents where there are some, otherwise as many digits as tell something.

    >>> in_money(12.3456, "USD"), in_money(0.0123, "USD"), in_money(0, "EUR")
    ('12.35 USD', '0.012 USD', '0.00 EUR')
    >>> in_money(0.000006, "USD")
    '0.000006 USD'
    """
    if not 0 < amount < 0.1:  # noqa: PLR2004
        return f"{amount:.2f} {currency}"
    digits = 1 - math.floor(math.log10(amount))
    return f"{f'{amount:.{digits}f}'.rstrip('0')} {currency}"
