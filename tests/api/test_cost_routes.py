"""What the API tells of costs: of jobs, of months, and before anything is spent."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from library_service import world_of
from priced_attempts import RATE, begun, ended, passes, taken
from service_client import RunningService, running_service
from standing_stems import accepted, found, note, request

from stemset.dispatch.cost import Month
from stemset.jobs import ledger
from stemset.jobs.caller import Scope
from stemset.jobs.job import Job, Queue

pytestmark = pytest.mark.alone

CONFIG = """
cost:
  currency: EUR
  worker: l4
  idle_s: 300
  prices:
    l4: {hour: 3.6, source: the platform's list, as_of: 2026-02}
profiles:
  - {name: h4n, source_folder: ., remote: true, monthly_cap: 20}
  - {name: songs, source_folder: .}
"""
PRICE = {
    "machine": "l4",
    "hour": 3.6,
    "currency": "EUR",
    "idle_s": 300.0,
    "source": "the platform's list",
    "as_of": "2026-02",
}
ENVIRON = {"GPU_WORKER_URL": "http://127.0.0.1:9"}
A_MOMENT = 0.002
WHY = "20.00 EUR are spent"


@pytest.fixture
def running(database_conninfo: str, tmp_path: Path) -> Iterator[RunningService]:
    with running_service(tmp_path, database_conninfo, config=CONFIG, environ=ENVIRON) as service:
        yield service


@pytest.fixture
def client(running: RunningService) -> httpx.Client:
    return running.client


def order(running: RunningService, number: int = 1) -> Job:
    """A job whose one attempt took 20 s to start and 40 s to compute, and has ended."""

    async def scenario() -> Job:
        world = world_of(running)
        recording = found(number)
        await note(world, recording)
        job = await accepted(world, request(recording, queue=Queue.WORKER))
        attempt = await begun(world.database, job, replace(RATE, currency="EUR"))
        await passes(world.database, 20)
        await taken(world.database, attempt)
        await passes(world.database, 40)
        await ended(world.database, attempt, transfer_s=5.0)
        return job

    return running.run(scenario)


def test_job_tells_what_it_cost_so_far(running: RunningService, client: httpx.Client) -> None:
    job = order(running)

    for path in (f"/api/jobs/{job.id}", f"/api/jobs/{job.id}/status"):
        cost = client.get(path).json()["cost"]
        assert cost["currency"] == "EUR"
        assert cost["amount"] == pytest.approx(0.36, abs=A_MOMENT)
        assert cost["transfer_s"] == 5.0
        assert cost["start_s"] == pytest.approx(20, abs=1.5)
        assert cost["computing_s"] == pytest.approx(40, abs=1.5)
        assert cost["tail_s"] == 300


def test_job_that_had_no_priced_order_costs_nothing(
    running: RunningService, client: httpx.Client
) -> None:
    async def scenario() -> Job:
        world = world_of(running)
        await note(world, found(2))
        return await accepted(world, request(found(2), "songs"))

    job = running.run(scenario)

    assert client.get(f"/api/jobs/{job.id}").json()["cost"] is None


def test_held_job_tells_why(running: RunningService, client: httpx.Client) -> None:
    job = order(running)
    running.in_transaction(
        lambda connection: ledger.hold(connection, job.id, "20.00 EUR are spent")
    )

    assert client.get(f"/api/jobs/{job.id}").json()["held"] == WHY


def test_month_lists_what_profiles_spent(running: RunningService, client: httpx.Client) -> None:
    order(running)
    order(running, number=2)

    month = client.get("/api/costs").json()

    assert month["month"] == str(Month.now())
    assert month["prices"] == [PRICE]
    (spent,) = month["profiles"]
    assert (spent["profile_name"], spent["jobs"], spent["monthly_cap"]) == ("h4n", 2, 20)
    assert spent["cost"]["amount"] < 2 * 0.36 + A_MOMENT  # the second order cut the first's tail
    earlier = client.get("/api/costs", params={"month": str(Month.now().plus(-1))}).json()
    assert earlier["profiles"] == []


@pytest.mark.parametrize("month", ["2026", "2026-13", "0000-01", "2026-11-01", "now"])
def test_what_is_no_month_is_refused(client: httpx.Client, month: str) -> None:
    answer = client.get("/api/costs", params={"month": month})

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request_invalid"


def test_profiles_tell_price_and_what_is_left(
    running: RunningService, client: httpx.Client
) -> None:
    order(running)

    profiles: dict[str, dict[str, Any]] = {
        each["name"]: each for each in client.get("/api/profiles").json()
    }

    assert profiles["h4n"]["price"] == PRICE
    assert profiles["h4n"]["spent"] == pytest.approx(0.36, abs=A_MOMENT)
    assert profiles["h4n"]["monthly_cap"] == 20
    assert [profiles["songs"][each] for each in ("price", "spent", "monthly_cap")] == [None] * 3


def test_costs_of_other_profiles_are_not_a_limited_callers(
    database_conninfo: str, tmp_path: Path
) -> None:
    with running_service(
        tmp_path, database_conninfo, config=CONFIG, environ=ENVIRON, is_open=False
    ) as running:
        order(running)

        with running.caller(running.make_token(Scope.READ, "songs")) as client:
            assert client.get("/api/costs").json()["profiles"] == []
        with running.caller(running.make_token(Scope.READ)) as client:
            assert len(client.get("/api/costs").json()["profiles"]) == 1
        assert running.client.get("/api/costs").status_code == 401
