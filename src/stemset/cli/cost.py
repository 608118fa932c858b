"""``stemset cost``: what a month's orders cost.

Two books are read: the service's ledger, where a service has run, and the journal that
``stemset process`` keeps beside a profile's outputs. No order stands in both.
"""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemset.cli.bars import clock
from stemset.cli.remote.spending import JOURNAL, Journal
from stemset.config import Settings, load_settings
from stemset.dispatch.cost import Cost, Month, Rate, in_money
from stemset.errors import InvalidConfig
from stemset.jobs import costs
from stemset.jobs.opening import in_transaction
from stemset.postgres.cluster import is_made
from stemset.telemetry import configure_logs

JSON_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Spent:
    """What a profile spent in one way.

    Attributes:
        profile: Its name.
        by: ``process``, the command, or ``service``.
        jobs: How many jobs had an order.
        cost: What they cost.
        cap: What the profile may spend in a month; None for any amount.
    """

    profile: str
    by: str
    jobs: int
    cost: Cost
    cap: float | None


def run_cost(month: str | None, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Print what a month cost.

    Args:
        month: Such as ``2026-11``, None for this one.
        config: The configuration file that was named.
        data: The data folder that was named.
        as_json: Whether JSON is printed.

    Raises:
        InvalidConfig: The month is none.
    """
    settings = load_settings(config, data=data)
    wanted = _month(month)
    spent = [*_of_journals(settings, wanted), *_of_ledger(settings, wanted)]
    spent.sort(key=lambda each: (each.profile, each.by))
    rates = [rate for rate in (settings.worker_rate, settings.local_rate) if rate is not None]
    if as_json:
        _say(json.dumps(_as_json(wanted, spent, rates)))
    else:
        _print(wanted, spent, rates)


def _month(text: str | None) -> Month:
    if text is None:
        return Month.now()
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidConfig(f"--month: {error}.") from error


def _of_journals(settings: Settings, month: Month) -> Iterator[Spent]:
    if settings.worker_rate is None:
        return
    for name, profile in settings.profiles.items():
        journal = Journal(settings.media / name / JOURNAL)
        jobs, cost = journal.of_month(month, settings.worker_rate.currency)
        if jobs:
            yield Spent(name, "process", jobs, cost, profile.monthly_cap)


def _of_ledger(settings: Settings, month: Month) -> list[Spent]:
    if settings.database_url is None and not is_made(settings.data):
        return []
    configure_logs(logging.WARNING)
    found = in_transaction(
        settings.data, settings.database_url, lambda each: costs.of_month(each, month)
    )
    caps = settings.monthly_caps
    return [
        Spent(each.profile, "service", each.jobs, each.cost, caps.get(each.profile))
        for each in found
    ]


def _as_json(month: Month, spent: list[Spent], rates: list[Rate]) -> dict[str, Any]:
    return {
        "schema_version": JSON_SCHEMA_VERSION,
        "month": str(month),
        "spent": [
            {
                "profile": each.profile,
                "by": each.by,
                "jobs": each.jobs,
                **each.cost.as_json(),
                "monthly_cap": each.cap,
            }
            for each in spent
        ],
        "prices": [asdict(rate) for rate in rates],
    }


def _print(month: Month, spent: list[Spent], rates: list[Rate]) -> None:
    if not spent:
        _say(f"Nothing was spent in {month} (UTC).")
    for each in spent:
        of_cap = "" if each.cap is None else f" of {in_money(each.cap, each.cost.currency)}"
        jobs = "1 job" if each.jobs == 1 else f"{each.jobs} jobs"
        _say(
            f"{each.profile} (stemset {_COMMANDS[each.by]}): {jobs}, "
            f"{in_money(each.cost.amount, each.cost.currency)}{of_cap}"
        )
        _say(f"  {_seconds(each.cost)}")
    for currency in sorted({each.cost.currency for each in spent}):
        amounts = [each.cost.amount for each in spent if each.cost.currency == currency]
        if len(amounts) > 1:
            _say(f"All of {month} (UTC): {in_money(sum(amounts), currency)}")
    for rate in rates:
        price = f"{in_money(rate.hour, rate.currency)} an hour"
        _say(f"Price of {rate.name}: {price} ({rate.source}, {rate.as_of})")
    if not rates:
        _say("No price is configured: with `cost` in config.yaml, orders are priced from then on.")


_COMMANDS = {"process": "process", "service": "serve"}


def _seconds(cost: Cost) -> str:
    return (
        f"awake {clock(cost.awake_s)}: starting {clock(cost.start_s)}, "
        f"at work {clock(cost.computing_s)} ({clock(cost.transfer_s)} of it transfers), "
        f"idle {clock(cost.tail_s)}"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
