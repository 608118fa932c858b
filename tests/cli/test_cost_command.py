"""``stemset cost`` as people and scripts call it: what a month cost, from both books."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_jobs import REQUEST, accept, in_ledger
from priced_attempts import RATE, begun, ended, passes, taken
from program import Ended, Program

from stemset.cli.remote.spending import JOURNAL, Journal
from stemset.dispatch.cost import Cost, Month
from stemset.jobs.database import Database
from stemset.jobs.job import Queue

PRICES = """
cost:
  currency: USD
  worker: l4
  prices:
    l4: {hour: 3.6, source: the platform's list, as_of: 2026-02}
"""
PROFILES = """
profiles:
  - {name: band, source_folder: ., %s}
  - {name: h4n, source_folder: .}
"""
ORDER = Cost("USD", 0.36, start_s=20.0, computing_s=40.0, transfer_s=5.0, tail_s=300.0)
PRICE = "Price of l4: 3.60 USD an hour (the platform's list, 2026-02)"


def priced(folder: Path) -> Path:
    (folder / "config.yaml").write_text(PRICES + PROFILES % "remote: true, monthly_cap: 20")
    return folder


def cost(folder: Path, *arguments: str, **env: str) -> Ended:
    told = {"STEMSET_DATA_DIR": str(folder / "data"), **env}
    return Program(folder)("cost", *arguments, env=told)


def spend(folder: Path, profile: str, job_id: str) -> None:
    """What ``stemset process`` writes when an order has ended."""
    journal = Journal(folder / "media" / profile / JOURNAL)
    journal.add(**ORDER.as_json(), job_id=job_id, strategy="htdemucs", audio_s=200.0)


def order(conninfo: str) -> None:
    """A service's job of the profile ``band``: 20 s to start, 40 s of computing, the full tail."""

    async def scenario(database: Database) -> None:
        attempt = await begun(
            database, await accept(database, replace(REQUEST, queue=Queue.WORKER))
        )
        await passes(database, 20)
        await taken(database, attempt)
        await passes(database, 40)
        await ended(database, attempt)

    in_ledger(conninfo, scenario)


def test_month_in_which_nothing_was_spent_says_so_and_what_the_price_is(tmp_path: Path) -> None:
    told = cost(priced(tmp_path))

    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [f"Nothing was spent in {Month.now()} (UTC).", PRICE]


def test_without_prices_it_says_how_to_have_some(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(PROFILES % "remote: false")

    told = cost(tmp_path)

    assert told.code == 0
    assert "No price is configured: with `cost` in config.yaml" in told.out


def test_orders_of_the_command_line_are_summed_by_profile(tmp_path: Path) -> None:
    for profile, job_id in (("band", "1"), ("band", "2"), ("h4n", "3")):
        spend(priced(tmp_path), profile, job_id)

    told = cost(tmp_path)

    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "band (stemset process): 2 jobs, 0.72 USD of 20.00 USD",
        "  awake 12:00: starting 40 s, at work 1:20 (10 s of it transfers), idle 10:00",
        "h4n (stemset process): 1 job, 0.36 USD",
        "  awake 6:00: starting 20 s, at work 40 s (5.0 s of it transfers), idle 5:00",
        f"All of {Month.now()} (UTC): 1.08 USD",
        PRICE,
    ]


@pytest.mark.alone
def test_orders_of_the_service_stand_beside_those_of_the_command_line(
    tmp_path: Path, database_conninfo: str
) -> None:
    spend(priced(tmp_path), "band", "1")
    order(database_conninfo)

    told = cost(tmp_path, "--json", DATABASE_URL=database_conninfo)

    assert (told.code, told.err) == (0, "")
    answer = json.loads(told.out)
    assert (answer["schema_version"], answer["month"]) == (1, str(Month.now()))
    assert answer["prices"] == [
        {
            "name": "l4",
            "hour": 3.6,
            "currency": "USD",
            "idle_s": RATE.idle_s,
            "source": "the platform's list",
            "as_of": "2026-02",
        }
    ]
    by_hand, by_service = answer["spent"]
    assert by_hand == {
        "profile": "band",
        "by": "process",
        "jobs": 1,
        "monthly_cap": 20.0,
        **ORDER.as_json(),
    }
    assert (by_service["profile"], by_service["by"], by_service["jobs"]) == ("band", "service", 1)
    assert by_service["amount"] == pytest.approx(ORDER.amount, abs=0.003)


def test_month_before_is_asked_for_by_its_name(tmp_path: Path) -> None:
    spend(priced(tmp_path), "band", "1")

    before = str(Month.now().plus(-1))

    assert f"Nothing was spent in {before} (UTC)." in cost(tmp_path, "--month", before).out
    assert "1 job" in cost(tmp_path, "--month", str(Month.now())).out


@pytest.mark.parametrize("month", ["2026", "2026-13", "November", ""])
def test_what_is_no_month_is_refused_by_name(tmp_path: Path, month: str) -> None:
    told = cost(priced(tmp_path), "--month", month)

    assert told.code == 2
    assert f"--month: a month is written such as 2026-11, got {month!r}." in told.err
