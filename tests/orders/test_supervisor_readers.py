import asyncio
from collections.abc import AsyncIterator

import pytest
from supervised import WITHIN_S, Fake, all_of, begun, last_of, until
from written_orders import an_order

from stemset.orders.messages import Links, Report, Status

pytestmark = pytest.mark.anyio


async def test_run_reader_that_goes_away_cancels_nothing(fake: Fake):
    supervisor = fake.supervisor()

    async def read_one(reports: AsyncIterator[Report]) -> None:
        async for _ in reports:
            await asyncio.Event().wait()

    reader = asyncio.create_task(read_one(supervisor.run(an_order("slow:10"))))
    await until(lambda: fake.heard("separate"))
    reader.cancel()
    await asyncio.wait({reader})
    joined = supervisor.join(an_order("slow:10"))

    assert joined
    assert (await last_of(joined)).status is Status.COMPLETE


async def test_run_reader_that_never_reads_does_not_keep_the_next_order_waiting(fake: Fake):
    supervisor = fake.supervisor()
    unread = supervisor.run(an_order("slow:3"))
    await until(lambda: supervisor.running is None)

    after = await last_of(supervisor.run(an_order(attempt=2)))

    assert after.status is Status.COMPLETE
    told = await all_of(unread)
    assert [report.status for report in told] == [Status.ACCEPTED, Status.COMPLETE]


async def test_join_attempt_that_is_not_running_is_none(fake: Fake):
    supervisor = fake.supervisor()
    await begun(supervisor, an_order("hang"))

    assert supervisor.join(an_order("hang", attempt=2)) is None
    assert supervisor.join(an_order("hang", job_id="other")) is None


async def test_send_links_reach_the_process_that_asked_once(fake: Fake):
    supervisor = fake.supervisor()
    told = []
    async with asyncio.timeout(WITHIN_S):
        async for report in supervisor.run(an_order("links")):
            told.append(report)
            if report.wanted:
                answer = Links(job_id="job", attempt=1, seq=report.seq, urls=("https://here",))
                wrong = answer.model_copy(update={"urls": ("https://there",)})
                await supervisor.send_links(wrong.model_copy(update={"job_id": "other"}))
                await supervisor.send_links(wrong.model_copy(update={"seq": 0}))
                await supervisor.send_links(answer)
                await supervisor.send_links(answer)

    assert [each["message"]["urls"] for each in fake.heard("links")] == [["https://here"]]
    assert told[-1].status is Status.COMPLETE


async def test_send_links_without_an_attempt_is_dropped(fake: Fake):
    supervisor = fake.supervisor()
    await last_of(supervisor.run(an_order()))

    await supervisor.send_links(Links(job_id="job", attempt=1, urls=("https://here",)))

    assert (await last_of(supervisor.run(an_order(attempt=2)))).status is Status.COMPLETE
    assert fake.heard("links") == []


async def test_join_late_reader_is_told_the_open_question_and_the_latest(fake: Fake):
    supervisor = fake.supervisor()
    order = an_order("links")
    reports = supervisor.run(order)
    async with asyncio.timeout(WITHIN_S):
        async for report in reports:
            if report.progress == 0.9:
                break

    joined = supervisor.join(order)
    assert joined
    async with asyncio.timeout(WITHIN_S):
        told = [await anext(joined), await anext(joined)]

    assert [bool(report.wanted) for report in told] == [True, False]
    assert told[1].progress == 0.9
