"""One attempt's reports, many followers."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from stemset.orders.messages import LinkWanted, Report, Status
from stemset.worker._broadcast import Broadcast

WITHIN_S = 5.0
NEVER_S = 60.0


def report(seq: int, status: Status = Status.PROGRESS, wanted: Sequence[str] = ()) -> Report:
    links = tuple(LinkWanted(method="PUT", name=name) for name in wanted)
    return Report(job_id="job", attempt=1, seq=seq, status=status, wanted=links)


ACCEPTED = report(0, Status.ACCEPTED)


def told(*reports: Report) -> Broadcast:
    broadcast = Broadcast(ACCEPTED)
    for each in reports:
        broadcast.tell(each)
    return broadcast


async def take(reports: AsyncIterator[Report], count: int) -> list[Report]:
    async with asyncio.timeout(WITHIN_S):
        return [await anext(reports) for _ in range(count)]


async def rest(reports: AsyncIterator[Report]) -> list[Report]:
    async with asyncio.timeout(WITHIN_S):
        return [each async for each in reports]


def test_broadcast_slow_follower_misses_progress_but_no_question_and_not_the_end():
    async def follow() -> list[Report]:
        broadcast = told()
        follower = broadcast.follow(NEVER_S)
        seen = await take(follower, 1)
        for each in (report(1), report(2), report(3, wanted="a"), report(4), report(5)):
            broadcast.tell(each)
        broadcast.tell(report(6, Status.COMPLETE))
        return seen + await rest(follower)

    seen = asyncio.run(follow())

    assert [each.seq for each in seen] == [0, 3, 6]
    assert seen[1].wanted
    assert seen[-1].is_last


def test_broadcast_quick_follower_gets_every_report():
    async def follow() -> list[Report]:
        broadcast = told()
        follower = broadcast.follow(NEVER_S)
        seen = await take(follower, 1)
        for seq in (1, 2, 3):
            broadcast.tell(report(seq))
            seen += await take(follower, 1)
        return seen

    assert [each.seq for each in asyncio.run(follow())] == [0, 1, 2, 3]


def test_broadcast_idle_latest_is_repeated_under_its_number():
    async def follow() -> list[Report]:
        return await take(told(report(1)).follow(0.01), 4)

    assert [each.seq for each in asyncio.run(follow())] == [1, 1, 1, 1]


def test_broadcast_repeated_report_is_told_once():
    async def follow() -> list[Report]:
        broadcast = told(report(1))
        follower = broadcast.follow(NEVER_S)
        seen = await take(follower, 1)
        broadcast.tell(report(1))
        broadcast.tell(report(0, Status.ACCEPTED))
        broadcast.tell(report(2, Status.COMPLETE))
        return seen + await rest(follower)

    assert [each.seq for each in asyncio.run(follow())] == [1, 2]


@pytest.mark.parametrize("seq", [0, 3, 4])
def test_broadcast_last_report_gets_a_number_of_its_own(seq: int):
    broadcast = told(report(3), report(seq, Status.ERROR))

    assert broadcast.latest.seq == 4
    assert broadcast.latest.is_last


def test_broadcast_follower_that_comes_late_is_asked_what_is_still_open():
    async def follow() -> list[Report]:
        return await take(told(report(1, wanted="a"), report(2)).follow(NEVER_S), 2)

    first, second = asyncio.run(follow())

    assert (first.seq, len(first.wanted), second.seq) == (1, 1, 2)


@pytest.mark.parametrize("seq", [1, None])
def test_broadcast_answered_question_is_asked_of_nobody_again(seq: int | None):
    async def follow() -> list[Report]:
        broadcast = told(report(1, wanted="ab"))
        assert broadcast.answered(seq, 2)
        return await take(broadcast.follow(0.01), 2)

    assert [(each.seq, each.wanted) for each in asyncio.run(follow())] == [(1, ()), (1, ())]


def test_broadcast_answer_that_comes_twice_is_not_taken_for_the_next_questions():
    broadcast = told(report(1, wanted="a"))
    assert broadcast.answered(1, 1)
    broadcast.tell(report(2, wanted="b"))

    assert not broadcast.answered(1, 1)
    assert broadcast.answered(2, 1)


@pytest.mark.parametrize(("seq", "count"), [(1, 2), (7, 1), (None, 2)])
def test_broadcast_answer_that_does_not_fit_leaves_the_question_open(seq: int | None, count: int):
    broadcast = told(report(1, wanted="a"))

    assert not broadcast.answered(seq, count)
    assert broadcast.answered(1, 1)


def test_broadcast_follower_that_leaves_is_forgotten():
    async def follow() -> int:
        broadcast = told()
        follower = broadcast.follow(NEVER_S)
        await take(follower, 1)
        await follower.aclose()  # type: ignore[attr-defined]
        return len(broadcast._followers)

    assert asyncio.run(follow()) == 0
