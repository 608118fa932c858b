"""What computing costs, month by month."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from stemset.api.access import Reader
from stemset.api.cost_views import CostAnswer, PriceAnswer
from stemset.api.service import ServiceOf
from stemset.dispatch.cost import MONTH_PATTERN, Month
from stemset.jobs import costs

router = APIRouter(prefix="/api/costs", tags=["costs"])


class ProfileCost(BaseModel):
    """What a profile's orders of a month cost."""

    profile_name: str
    jobs: int = Field(description="How many jobs had an order in that month.")
    cost: CostAnswer
    monthly_cap: float | None = Field(
        description="What they may cost in a month by now; null for any amount."
    )


class MonthOfCosts(BaseModel):
    """A month."""

    month: str = Field(description="In UTC, such as `2026-11`.")
    profiles: list[ProfileCost] = Field(description="Those with a priced order, by name.")
    prices: list[PriceAnswer] = Field(description="What a new order is computed for.")


@router.get("", operation_id="list_costs")
async def list_costs(
    service: ServiceOf,
    caller: Reader,
    *,
    month: Annotated[
        str | None,
        Query(pattern=f"^{MONTH_PATTERN.pattern}$", description="in UTC; this one by default"),
    ] = None,
) -> MonthOfCosts:
    """List what each profile's orders of a month cost."""
    wanted = Month.parse(month) if month else Month.now()
    async with service.database.reading() as connection:
        spent = await costs.of_month(connection, wanted)
    caps = service.settings.monthly_caps
    return MonthOfCosts(
        month=str(wanted),
        profiles=[
            ProfileCost(
                profile_name=each.profile,
                jobs=each.jobs,
                cost=CostAnswer.of(each.cost),
                monthly_cap=caps.get(each.profile),
            )
            for each in spent
            if caller.sees(each.profile)
        ],
        prices=[PriceAnswer.of(rate) for rate in service.rates.values()],
    )
