"""What attempts cost: every second that a worker is awake once, whatever it was awake for.

Time passes by moving everything that was written further into the past.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ledger_jobs import OTHER, REQUEST, accept, in_ledger
from priced_attempts import RATE, begun, ended, passes, taken
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.dispatch.cost import Cost, Month
from stemset.jobs import caps, costs
from stemset.jobs.attempts import Outcome
from stemset.jobs.database import Database
from stemset.jobs.job import Job, Queue

pytestmark = pytest.mark.alone

FAR = replace(REQUEST, queue=Queue.WORKER)
FAR_OTHER = replace(OTHER, queue=Queue.WORKER, output_name="other_cdcdcdcd")
A_MOMENT_S = 1.5


async def cost(database: Database, *jobs: Job) -> Mapping[str, Cost]:
    async with database.reading() as connection:
        return await costs.of_jobs(connection, [job.id for job in jobs])


def seconds(cost: Cost) -> Any:
    parts = (cost.start_s, cost.computing_s, cost.transfer_s, cost.tail_s)
    return pytest.approx(parts, abs=A_MOMENT_S)


def test_attempt_costs_its_start_its_computing_and_its_tail(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await passes(database, 20)
        await taken(database, attempt)
        await passes(database, 60)
        await ended(database, attempt, transfer_s=12.0)

        found = (await cost(database, job))[job.id]

        assert seconds(found) == (20, 60, 12, 300)
        assert found.currency == "USD"
        assert found.amount == pytest.approx(0.380, abs=0.003)
        assert found.awake_s == pytest.approx(380, abs=2 * A_MOMENT_S)

    in_ledger(database_conninfo, scenario)


def test_next_order_cuts_the_tail_and_starts_at_once(database_conninfo: str):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        attempt = await begun(database, first)
        await passes(database, 20)
        await taken(database, attempt)
        await passes(database, 60)
        await ended(database, attempt)
        await passes(database, 100)
        attempt = await begun(database, second)
        await taken(database, attempt)
        await passes(database, 30)
        await ended(database, attempt)

        found = await cost(database, first, second)

        assert seconds(found[first.id]) == (20, 60, 0, 100)
        assert seconds(found[second.id]) == (0, 30, 0, 300)

    in_ledger(database_conninfo, scenario)


def test_order_after_the_worker_slept_leaves_the_tail_whole(database_conninfo: str):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        attempt = await begun(database, first)
        await taken(database, attempt)
        await ended(database, attempt)
        await passes(database, 301)
        await begun(database, second)

        assert seconds((await cost(database, first))[first.id]) == (0, 0, 0, 300)

    in_ledger(database_conninfo, scenario)


def test_orders_that_overlap_count_no_second_twice(database_conninfo: str):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        one = await begun(database, first)
        await taken(database, one)
        other = await begun(database, second)  # it waits: the worker is at the first
        await passes(database, 50)
        await ended(database, one)
        await passes(database, 5)
        await taken(database, other)
        await passes(database, 40)
        await ended(database, other)

        found = await cost(database, first, second)

        awake_s = sum(each.awake_s for each in found.values())
        assert seconds(found[second.id]) == (5, 40, 0, 300)
        assert awake_s - found[first.id].tail_s == pytest.approx(50 + 5 + 40 + 300, abs=2)

    in_ledger(database_conninfo, scenario)


def test_worker_that_takes_the_next_order_while_one_ends_has_no_tail_between(
    database_conninfo: str,
):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        one = await begun(database, first)
        await taken(database, one)
        other = await begun(database, second)
        await taken(database, other)
        await passes(database, 50)
        await ended(database, one)

        assert (await cost(database, first))[first.id].tail_s == 0

    in_ledger(database_conninfo, scenario)


def test_attempt_is_over_when_its_last_report_came(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await taken(database, attempt)
        await passes(database, 60)
        await ended(database, attempt, let_go_s=10.0)

        assert seconds((await cost(database, job))[job.id]) == (0, 50, 0, 300)

    in_ledger(database_conninfo, scenario)


def test_order_that_nobody_took_costs_nothing(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job)
        await passes(database, 600)
        await ended(database, attempt, Outcome.FAILED)

        assert (await cost(database, job))[job.id].amount == 0

    in_ledger(database_conninfo, scenario)


def test_all_attempts_at_a_job_cost(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        for outcome in (Outcome.FAILED, Outcome.COMPLETE):
            attempt = await begun(database, job)
            await taken(database, attempt)
            await passes(database, 40)
            await ended(database, attempt, outcome)
            await passes(database, 1000)

        assert seconds((await cost(database, job))[job.id]) == (0, 80, 0, 600)

    in_ledger(database_conninfo, scenario)


def test_price_of_an_attempt_is_that_of_its_day(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, REQUEST)
        for hour in (3.6, 36.0):
            attempt = await begun(database, job, replace(RATE, hour=hour, idle_s=0.0))
            await taken(database, attempt)
            await passes(database, 100)
            await ended(database, attempt, Outcome.FAILED)

        found = (await cost(database, job))[job.id]

        assert found.amount == pytest.approx(0.1 + 1.0, abs=0.02)
        assert seconds(found) == (0, 200, 0, 0)

    in_ledger(database_conninfo, scenario)


def test_what_has_no_price_has_no_cost(database_conninfo: str):
    async def scenario(database: Database) -> None:
        job = await accept(database, FAR)
        attempt = await begun(database, job, None)
        await taken(database, attempt)
        await ended(database, attempt)

        assert await cost(database, job) == {}
        async with database.reading() as connection:
            assert await costs.of_month(connection, Month.now()) == []

    in_ledger(database_conninfo, scenario)


def test_month_has_the_orders_that_were_given_in_it(database_conninfo: str):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        attempt = await begun(database, first)
        await taken(database, attempt)
        await passes(database, 10)
        await ended(database, attempt)
        await passes(database, 32 * 86_400)
        attempt = await begun(database, second)
        await taken(database, attempt)
        await passes(database, 5)  # and it goes on

        async with database.reading() as connection:
            now, all_before = await _months(connection)

        assert [(each.profile, each.jobs) for each in now] == [("band", 1)]
        assert seconds(now[0].cost) == (0, 5, 0, 0)
        assert sum(each.jobs for each in all_before) == 1
        assert sum(each.cost.computing_s for each in all_before) == pytest.approx(10, abs=1)

    in_ledger(database_conninfo, scenario)


async def _months(connection: AsyncConnection) -> tuple[list[costs.Spent], list[costs.Spent]]:
    """What was spent this month, and in the two before it."""
    now, *earlier = [await costs.of_month(connection, Month.now().plus(-ago)) for ago in range(3)]
    return now, [each for month in earlier for each in month]


@pytest.mark.parametrize(
    ("cap", "says"), [(0.41, None), (0.30, "0.36 USD of it are spent"), (0.36, "of it are spent")]
)
def test_cap_holds_what_would_exceed_it_and_says_so(
    database_conninfo: str, cap: float, says: str | None
):
    async def scenario(database: Database) -> None:
        first, second = await accept(database, FAR), await accept(database, FAR_OTHER)
        attempt = await begun(database, first)
        await taken(database, attempt)
        await passes(database, 60)
        await ended(database, attempt)  # 0.36 with its tail

        async with database.reading() as connection:
            why = await caps.over_cap(connection, second, cap, RATE)

        assert (why is None) if says is None else (why is not None and says in why)
        assert why is None or f"band may cost {cap:.2f} USD a month" in why

    in_ledger(database_conninfo, scenario)


def test_month_tells_currencies_apart(database_conninfo: str):
    async def scenario(database: Database) -> list[tuple[str, float]]:
        for wanted, rate in ((FAR, RATE), (FAR_OTHER, replace(RATE, currency="EUR"))):
            attempt = await begun(database, await accept(database, wanted), rate)
            await taken(database, attempt)
            await passes(database, 400)
            await ended(database, attempt)
        async with database.reading() as connection:
            month = await costs.of_month(connection, Month.now())
            assert await costs.amounts_of_month(connection, "EUR") == {
                "band": pytest.approx(0.7, abs=0.01)
            }
        return [(each.cost.currency, each.cost.amount) for each in month]

    (euros, amount), (dollars, _) = in_ledger(database_conninfo, scenario)

    assert (euros, dollars) == ("EUR", "USD")
    assert amount == pytest.approx(0.7, abs=0.01)
