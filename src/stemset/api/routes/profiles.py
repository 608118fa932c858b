"""What can be asked for: profiles and strategies, as they are configured."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.access import Reader
from stemset.api.cost_views import PriceAnswer
from stemset.api.service import ServiceOf
from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.entries import find, is_allowed
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.strategies import BUILT_IN, Node
from stemset.config import Profile, Settings
from stemset.dispatch.cost import Rate
from stemset.jobs import costs, pace
from stemset.jobs.caller import Caller
from stemset.jobs.job import Queue
from stemset.jobs.pace import Work

router = APIRouter(prefix="/api", tags=["profiles"])


class OutputAnswer(BaseModel):
    """How a profile's stems are written."""

    format: OutputFormat
    bitrate: int | None = Field(description="Of lossy formats, in kbit/s; null for the default.")
    depth: Depth | None = Field(description="Of samples; null for the recording's.")


class ProfileAnswer(BaseModel):
    """A named choice."""

    name: str
    strategy: str
    stems: list[str] = Field(description="What it makes, in the order to show.")
    remote: bool = Field(description="Whether the work is done by the worker.")
    output: OutputAnswer
    realtime_factor: float | None = Field(
        description="Seconds of work per second of audio, as the newest jobs of the same strategy "
        "and runner took; null while there is none."
    )
    waking_s: float | None = Field(
        description="Seconds that the worker takes to wake, as it took lately; null if it has not "
        "been asleep, or the profile needs none."
    )
    price: PriceAnswer | None = Field(
        description="What its jobs are computed for; null where no price is configured."
    )
    spent: float | None = Field(
        description="What its orders of this month (UTC) cost so far; null without a price."
    )
    monthly_cap: float | None = Field(
        description="What they may cost in a month; jobs beyond it are held. Null for any amount."
    )


class ModelAnswer(BaseModel):
    """A model that a strategy uses."""

    name: str
    description: str
    licence: str = Field(description="SPDX identifier.")
    attribution: str
    is_allowed: bool = Field(description="Whether the operator allows its licence.")


class StrategyAnswer(BaseModel):
    """A tree of models, whose slots are stems or the input of a further model."""

    name: str
    tree: dict[str, Any] = Field(description="As it is written in a configuration.")
    stems: list[str]
    models: list[ModelAnswer]


@router.get("/profiles", operation_id="list_profiles")
async def list_profiles(service: ServiceOf, caller: Reader) -> list[ProfileAnswer]:
    """List the profiles that the caller may use."""
    seen = _seen(service.settings, caller)
    works = [Work(profile.strategy, service.queue_of(profile)) for profile in seen]
    rates = [service.rates.get(work.queue) for work in works]
    async with service.database.reading() as connection:
        factors = await pace.realtime_factors(connection)
        waking_s = await pace.waking_s(connection)
        spent = await _spent(connection, rates)
    return [
        ProfileAnswer(
            name=profile.name,
            strategy=profile.strategy,
            stems=list(service.settings.strategy(profile.strategy).stems()),
            remote=profile.remote,
            output=OutputAnswer(**profile.output.model_dump()),
            realtime_factor=factors.get(work),
            waking_s=waking_s if work.queue is Queue.WORKER else None,
            price=rate and PriceAnswer.of(rate),
            spent=rate and spent.get(profile.name, 0.0),
            monthly_cap=profile.monthly_cap,
        )
        for profile, work, rate in zip(seen, works, rates, strict=True)
    ]


@router.get("/strategies", operation_id="list_strategies")
async def list_strategies(service: ServiceOf, caller: Reader) -> list[StrategyAnswer]:
    """List strategies: all, or those of the profiles that the caller is limited to."""
    settings = service.settings
    known = {**BUILT_IN, **settings.strategies}
    used = {profile.strategy for profile in _seen(settings, caller)}
    return [
        _strategy(name, tree, settings)
        for name, tree in known.items()
        if caller.profiles is None or name in used
    ]


async def _spent(connection: AsyncConnection, rates: Sequence[Rate | None]) -> Mapping[str, float]:
    """What profiles spent this month: their prices are all in one currency."""
    for rate in filter(None, rates):
        return await costs.amounts_of_month(connection, rate.currency)
    return {}


def _seen(settings: Settings, caller: Caller) -> list[Profile]:
    return [profile for name, profile in settings.profiles.items() if caller.sees(name)]


def _strategy(name: str, tree: Node, settings: Settings) -> StrategyAnswer:
    models = [_model(find(model), settings) for model in tree.models()]
    return StrategyAnswer(name=name, tree=tree.tree(), stems=list(tree.stems()), models=models)


def _model(entry: ModelEntry, settings: Settings) -> ModelAnswer:
    return ModelAnswer(
        name=entry.name,
        description=entry.description,
        licence=entry.licence.spdx,
        attribution=entry.licence.attribution,
        is_allowed=is_allowed(entry, settings.allow_licences),
    )
