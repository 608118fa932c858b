"""Prices in ``config.yaml``: what machines cost, and which of them computes."""

import re
from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from stemset.dispatch.cost import Rate

_IDLE_S = 300.0
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?")


class Price(BaseModel):
    """What an hour of a machine costs, and who says so.

    Attributes:
        hour: The price.
        source: Where it was found.
        as_of: When: a year and a month, or a day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hour: float = Field(gt=0, allow_inf_nan=False)
    source: str = Field(min_length=1)
    as_of: str

    @field_validator("as_of")
    @classmethod
    def _check_date(cls, text: str) -> str:
        if not _is_date(text):
            message = f"{text!r} is no date: write such as 2026-02, or 2026-02-28"
            raise ValueError(message)
        return text


class CostSettings(BaseModel):
    """What computing costs.

    Attributes:
        currency: Of all prices, three letters.
        prices: Prices by a machine's name.
        worker: The machine behind ``GPU_WORKER_URL``; None if it costs nothing.
        local: The machine that ``serve`` or ``consume`` computes on; None if it costs nothing.
        idle_s: Seconds without an order until the worker sleeps, what it takes to stop included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    prices: dict[str, Price]
    worker: str | None = None
    local: str | None = None
    idle_s: float = Field(default=_IDLE_S, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for place, name in (("worker", self.worker), ("local", self.local)):
            if name is not None and name not in self.prices:
                known = ", ".join(self.prices) or "none"
                message = f"{place} is {name!r}, which has no price. There are prices for: {known}"
                raise ValueError(message)
        return self

    @property
    def worker_rate(self) -> Rate | None:
        """What the worker costs."""
        return self._rate(self.worker, self.idle_s)

    @property
    def local_rate(self) -> Rate | None:
        """What this machine costs; nobody puts it to sleep."""
        return self._rate(self.local, 0.0)

    def _rate(self, name: str | None, idle_s: float) -> Rate | None:
        if name is None:
            return None
        price = self.prices[name]
        return Rate(name, price.hour, self.currency, idle_s, price.source, price.as_of)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text if text.count("-") > 1 else f"{text}-01")
    except ValueError:
        return False
    return True
