"""What runs of remote work spend, and the journal that keeps it from one to the next."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from remote_run import Remote, Take

from stemset.cli.remote.spending import JOURNAL, Journal, Spending, Work
from stemset.dispatch.cost import Month, Rate
from stemset.errors import CapReached, CorruptAudio
from stemset.orders.messages import Order, Report, Status
from stemset.orders.phase import Phase

RATE = Rate("gpu", hour=3.6, currency="USD", idle_s=300.0, source="a list", as_of="2026-02")
WORK = Work("j", "htdemucs", 100.0)
MONTH = Month.now()
A_MOMENT = 1e-5
"""What the journal rounds."""


class Clock:
    """Stands still but when it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._since = datetime.now(UTC)

    def __call__(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return self._since + timedelta(seconds=self.now_s)

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(tmp_path / "media" / "far" / JOURNAL, clock.now)


Start = Callable[..., Spending]


@pytest.fixture
def start(tmp_path: Path, clock: Clock) -> Start:
    """A new run of a profile."""

    def run(profile: str = "far", cap: float | None = None, **rate: Any) -> Spending:
        path = tmp_path / "media" / profile / JOURNAL
        return Spending(
            replace(RATE, **rate),
            Journal(path, clock.now),
            profile=profile,
            cap=cap,
            clock_s=clock,
        )

    return run


def hear(spending: Spending, phase: Phase | None, status: Status = Status.PROGRESS) -> None:
    spending.hear(Report(job_id="j", attempt=1, seq=1, status=status, phase=phase))


def order(
    spending: Spending,
    clock: Clock,
    *,
    start_s: float = 20,
    computing_s: float = 60,
    ends: Status = Status.COMPLETE,
) -> None:
    """An order that takes so long."""
    spending.ask()
    hear(spending, Phase.WAKING)
    clock.passes(start_s)
    hear(spending, Phase.LOADING)
    clock.passes(computing_s)
    hear(spending, Phase.UPLOADING, ends)
    spending.end(WORK)


def spent(journal: Journal, month: Month = MONTH, currency: str = "USD") -> float:
    return journal.of_month(month, currency)[1].amount


def line(month: Month = MONTH, **facts: Any) -> str:
    """A line of a journal: an order for 0.36."""
    seconds = {"start_s": 20.0, "computing_s": 40.0, "transfer_s": 5.0, "tail_s": 300.0}
    known = {"at": f"{month}-01T00:00:00+00:00", "currency": "USD", "amount": 0.36, **seconds}
    work = {"job_id": "j", "strategy": "htdemucs", "audio_s": 100.0}
    return json.dumps({**known, **work, **facts}) + "\n"


def write(journal: Journal, *lines: str) -> None:
    journal._path.parent.mkdir(parents=True)
    journal._path.write_text("".join(lines))


def test_order_costs_its_start_its_computing_and_its_whole_tail(
    start: Start, journal: Journal, clock: Clock
) -> None:
    spending = start()
    order(spending, clock)

    total = spending.total
    assert (total.start_s, total.computing_s, total.tail_s) == (20, 60, 300)
    assert total.amount == pytest.approx(0.38)
    assert journal.of_month(MONTH, "USD") == (1, total)


def test_order_told_alone_is_without_the_tail(start: Start, clock: Clock) -> None:
    spending = start()
    spending.ask()
    clock.passes(20)
    hear(spending, Phase.DOWNLOADING)
    clock.passes(10)
    hear(spending, Phase.UPLOADING, Status.COMPLETE)

    cost = spending.end(WORK)

    assert cost is not None
    assert (cost.start_s, cost.computing_s, cost.transfer_s, cost.tail_s) == (20, 10, 10, 0)
    assert cost.amount == pytest.approx(0.03)


def test_order_that_no_worker_took_costs_nothing(
    start: Start, journal: Journal, clock: Clock
) -> None:
    spending = start()
    spending.ask()
    clock.passes(600)
    hear(spending, Phase.WAKING)

    assert spending.end(WORK) is None
    assert spending.total.amount == spent(journal) == 0


def test_worker_that_is_woken_ahead_starts_then(start: Start, clock: Clock) -> None:
    spending = start()
    spending.ask()
    clock.passes(30)
    order(spending, clock, start_s=2)

    assert spending.total.start_s == 32


@pytest.mark.parametrize(("pause_s", "tail_s"), [(100, 400), (299, 599), (301, 600), (5000, 600)])
def test_tail_lasts_until_the_next_order_or_for_the_idle_period(
    start: Start, journal: Journal, clock: Clock, pause_s: float, tail_s: float
) -> None:
    spending = start()
    order(spending, clock)
    clock.passes(pause_s)
    order(spending, clock, start_s=0)

    assert spending.total.tail_s == pytest.approx(tail_s, abs=0.01)
    assert spent(journal) == pytest.approx(spending.total.amount, abs=A_MOMENT)


@pytest.mark.parametrize("profile", ["far", "desk"])
def test_tail_is_cut_by_an_order_of_the_next_run_of_any_profile(
    start: Start, journal: Journal, clock: Clock, profile: str
) -> None:
    first, second = start(), start(profile)
    order(first, clock, computing_s=60)
    clock.passes(100)
    order(second, clock, start_s=0, computing_s=10)

    expected = 0.180 + (0.310 if profile == "far" else 0)
    assert spent(journal) == pytest.approx(expected, abs=A_MOMENT)
    together = first.total.plus(second.total)
    assert together.awake_s == pytest.approx(20 + 60 + 100 + 10 + 300, abs=0.01)


def test_tail_is_cut_once_though_the_order_that_cut_it_was_never_taken(
    start: Start, journal: Journal, clock: Clock
) -> None:
    order(start(), clock)
    clock.passes(100)
    for _ in range(2):
        spending = start()
        spending.ask()
        spending.end(WORK)

    assert spent(journal) == pytest.approx(0.180, abs=A_MOMENT)


def test_journal_with_a_torn_last_line_keeps_the_others_and_what_comes(
    start: Start, journal: Journal, clock: Clock
) -> None:
    whole = line()
    write(journal, whole, whole, whole[: len(whole) // 2])

    assert journal.of_month(MONTH, "USD")[1].amount == pytest.approx(0.72)
    order(start(), clock)

    assert spent(journal) == pytest.approx(0.72 + 0.38)


def test_journal_torn_in_the_middle_of_a_letter_is_read(journal: Journal) -> None:
    write(journal, line())
    with journal._path.open("ab") as file:
        file.write('{"job_id": "ü'.encode()[:-1])

    assert spent(journal) == pytest.approx(0.36)


def test_journal_that_is_not_there_is_an_empty_one(journal: Journal) -> None:
    assert journal.of_month(MONTH, "USD")[0] == 0
    assert journal.pace("htdemucs") is None


def test_month_has_its_own_lines_and_those_of_its_currency(journal: Journal) -> None:
    write(
        journal,
        line(MONTH.plus(-1), at=f"{MONTH.plus(-1)}-28T23:59:59+00:00"),
        line(MONTH, amount=0.1),
        line(MONTH, amount=50.0, currency="EUR"),
    )

    assert spent(journal) == pytest.approx(0.1)
    assert spent(journal, MONTH.plus(-1)) == pytest.approx(0.36)
    assert spent(journal, MONTH, "EUR") == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("cap", "audio_s", "says"),
    [
        pytest.param(0.41, 100.0, None, id="enough"),
        pytest.param(0.39, 100.0, "and this would cost about 0.04 USD", id="not-for-this-order"),
        pytest.param(0.39, None, None, id="length-not-known"),
        pytest.param(0.36, None, "0.36 USD of it are spent", id="all-is-spent"),
    ],
)
def test_cap_refuses_what_the_month_has_no_money_for(
    start: Start, journal: Journal, cap: float, audio_s: float | None, says: str | None
) -> None:
    write(journal, line())
    work = replace(WORK, audio_s=audio_s)
    if says is None:
        start(cap=cap).check_cap(work)
        return

    with pytest.raises(CapReached, match=says) as caught:
        start(cap=cap).check_cap(work)

    assert f"far may cost {cap:.2f} USD a month (monthly_cap)" in str(caught.value)


def test_cap_counts_neither_other_months_nor_other_currencies(
    start: Start, journal: Journal
) -> None:
    write(journal, line(MONTH.plus(-1)), line(currency="EUR"))

    start(cap=0.1).check_cap(replace(WORK, strategy="another"))


def test_expected_cost_is_that_of_the_newest_orders_that_went_well(
    start: Start, journal: Journal
) -> None:
    old = [line(computing_s=10_000.0)] * 20
    newest = [line(computing_s=seconds) for seconds in [50.0] * 11 + [9000.0] * 9]
    write(journal, *old, *newest, *[line(computing_s=0.1, whole=False)] * 20)

    assert start().expected(replace(WORK, audio_s=200.0)) == pytest.approx(0.1)
    assert start().expected(replace(WORK, strategy="another")) is None
    assert start().expected(replace(WORK, audio_s=None)) is None


def test_order_that_failed_tells_nothing_of_the_pace(
    start: Start, journal: Journal, clock: Clock
) -> None:
    order(start(), clock, ends=Status.ERROR)
    assert journal.pace("htdemucs") is None

    order(start(), clock)
    assert journal.pace("htdemucs") == pytest.approx(0.6)


def paid(remote: Remote, cap: float | None = None) -> Remote:
    """Remote work that costs."""
    journal = Journal(remote.media / JOURNAL)
    return replace(remote, spending=Spending(RATE, journal, profile="far", cap=cap))


@pytest.mark.alone
def test_run_tells_what_each_order_and_all_of_it_cost(remote: Remote, take: Take) -> None:
    ran = paid(remote)(take(), take("b.wav", seed=2))

    costs = [event["cost"] for event in ran.of("complete")]
    total = ran.events[-1]["cost"]
    assert [each["tail_s"] for each in costs] == [0, 0]
    assert all(each["computing_s"] > 0 for each in costs)
    assert 300 <= total["tail_s"] < 301
    worked = sum(each["amount"] for each in costs)
    assert total["amount"] == pytest.approx(worked + RATE.of(total["tail_s"]), abs=1e-4)
    assert total["rate"]["name"] == "gpu"


def test_run_that_orders_nothing_costs_nothing(remote: Remote, take: Take) -> None:
    path = take()
    paid(remote)(path)

    ran = paid(remote)(path)

    assert ran.events[-1]["cost"]["amount"] == 0
    assert "awake" not in paid(remote).in_words(path)


def test_order_that_fails_costs_too(remote: Remote, take: Take) -> None:
    remote.worker.says = [CorruptAudio("no matter")]

    ran = paid(remote)(take())

    assert ran.of("complete") == []
    assert ran.events[-1]["cost"]["amount"] > 0.3


@pytest.mark.alone
def test_person_is_told_what_it_cost_in_words(remote: Remote, take: Take) -> None:
    said = paid(remote).in_words(take())

    assert "of the worker" in said
    assert "The worker is awake for 5:0" in said
    assert "idle 5:00" in said
    assert "0.30 USD (3.60 USD an hour of gpu, 2026-02)" in said


def test_outputs_are_found_beside_the_journal(remote: Remote, take: Take) -> None:
    path = take()
    paid(remote)(path)
    names = sorted(each.name for each in remote.media.iterdir())

    assert names[0] == JOURNAL
    assert len(names) == 2
    assert [event["event"] for event in paid(remote)(path).events] == ["skipped", "summary"]


def test_run_ends_when_the_month_has_no_money_left(remote: Remote, take: Take) -> None:
    ordered: list[str] = []

    async def before(order: Order) -> None:
        ordered.append(order.input.name)

    remote.worker.before = before
    ran = paid(remote, cap=0.2)(*(take(f"{n}.wav", seed=n) for n in range(3)))

    (error,) = ran.of("error")
    assert error["code"] == "cap_reached"
    assert "monthly_cap" in error["message"]
    assert ordered == ["0.wav"]
    assert len(ran.of("complete")) == 1
    assert ran.code == 5


def test_run_without_money_uploads_nothing_and_wakes_nobody(remote: Remote, take: Take) -> None:
    write(Journal(remote.media / JOURNAL), line())

    ran = paid(remote, cap=0.2)(take())

    assert [event["event"] for event in ran.events] == ["planned", "error", "summary"]
    assert [info.key for info in remote.store.list_below("inputs")] == []
    assert ran.events[-1]["cost"]["amount"] == 0


def test_dry_run_says_what_orders_would_cost_and_spends_nothing(remote: Remote, take: Take) -> None:
    known, new = take("known.wav", seed=1), take("new.wav", seed=2)
    (unknown,) = paid(remote)(known, dry_run=True).of("planned")
    paid(remote)(known)
    before = (remote.media / JOURNAL).read_bytes()

    done, fresh = paid(remote, cap=0.01)(known, new, dry_run=True, force=True).of("planned")
    (words,) = [
        text for text in paid(remote).in_words(new, dry_run=True).splitlines() if "USD" in text
    ]

    assert unknown["remote"]["cost"] == {"currency": "USD", "computing": None}
    assert fresh["remote"]["cost"]["computing"] == pytest.approx(
        done["remote"]["cost"]["computing"]
    )
    assert "for about" in words
    assert (remote.media / JOURNAL).read_bytes() == before
    assert len(remote.worker.orders) == 1


def test_dry_run_of_what_stands_says_no_cost(remote: Remote, take: Take) -> None:
    path = take()
    paid(remote)(path)
    (output,) = [each for each in remote.media.iterdir() if each.is_dir()]
    shutil.rmtree(output)

    (planned,) = paid(remote)(path, dry_run=True).of("planned")

    assert planned["remote"]["attempt"] is None
    assert "cost" not in planned["remote"]
