"""Costs and prices as the API shows them."""

from typing import Self

from pydantic import BaseModel, Field

from stemset.dispatch.cost import Cost, Rate


class CostAnswer(BaseModel):
    """What was paid for, as far as it is known by now.

    Attributes:
        currency: Three letters.
        amount: In that currency: all three times that follow, transfers being a part of computing.
        start_s: Seconds until the worker took the order, while it did nothing else.
        computing_s: Seconds from then until the end.
        transfer_s: The part of them in which the recording was fetched and stems were stored.
        tail_s: Seconds that the worker stays awake afterwards, unless another order comes.
    """

    currency: str
    amount: float
    start_s: float
    computing_s: float
    transfer_s: float
    tail_s: float

    @classmethod
    def of(cls, cost: Cost) -> Self:
        """A cost as it is told."""
        return cls.model_validate(cost.as_json())


class PriceAnswer(BaseModel):
    """What the machine that computes costs."""

    machine: str
    hour: float
    currency: str = Field(description="Three letters.")
    idle_s: float = Field(
        description="Seconds without an order until it sleeps; they are paid for, too."
    )
    source: str = Field(description="Where the price was found.")
    as_of: str = Field(description="When: a month or a day.")

    @classmethod
    def of(cls, rate: Rate) -> Self:
        """A price as it is told."""
        return cls(
            machine=rate.name,
            hour=rate.hour,
            currency=rate.currency,
            idle_s=rate.idle_s,
            source=rate.source,
            as_of=rate.as_of,
        )
