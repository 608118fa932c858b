import asyncio
import time

import pytest
from fake_worker import (
    Call,
    CuttingProxy,
    FakeWorker,
    Reply,
    breaks,
    is_silent,
    says,
    says_and_breaks,
    status,
)
from remote_runs import ACCEPTED, DONE, MORE, SOME, Runners, refused, run, waking, working
from written_orders import a_report, an_order

from stemset.errors import DeadlinePassed, WorkerUnreachable
from stemset.orders import remote

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


async def test_run_stream_that_is_cut_is_joined_by_the_same_attempt(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says_and_breaks(ACCEPTED, SOME), says(SOME, MORE, DONE)]

    told = await run(runners())

    assert working(told) == [ACCEPTED, SOME, MORE, DONE]
    assert {each.progress for each in waking(told)} == {SOME.progress}
    assert len(worker.orders) == 2
    assert len({call.body for call in worker.orders}) == 1
    assert {call.headers["webhook-id"] for call in worker.orders} == {"job-1"}


async def test_run_stream_that_ends_without_a_last_report_is_joined(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says(ACCEPTED), says(), says(DONE)]

    assert working(await run(runners())) == [ACCEPTED, DONE]


@pytest.mark.parametrize("cut_after", [[0], [1], [150], [400, 300, 0, 200]])
async def test_run_connections_cut_anywhere_give_every_report_once(
    worker: FakeWorker, runners: Runners, cut_after: list[int]
):
    proxy = CuttingProxy(worker.url, list(cut_after))
    await proxy.start()
    steps = [a_report(seq, phase="separating", progress=seq / 20) for seq in range(1, 20)]
    last = DONE.model_copy(update={"seq": 20})
    worker.process = [says(ACCEPTED, *steps, last), *[says(*steps[9:], last)] * 9]

    told = working(await run(runners(proxy.url)))
    await proxy.stop()

    assert [report.seq for report in told] == sorted({report.seq for report in told})
    assert [report.progress for report in told] == sorted(report.progress for report in told)
    assert told[-1] == last
    assert len({call.body for call in worker.orders}) == 1


async def test_run_answer_lost_after_the_worker_began_is_joined(
    worker: FakeWorker, runners: Runners
):
    worker.process = [breaks, says(MORE, DONE)]

    told = await run(runners())

    assert working(told) == [MORE, DONE]
    assert len(worker.orders) == 2
    assert len({call.body for call in worker.orders}) == 1


async def test_run_silent_stream_is_broken_off_and_joined(worker: FakeWorker, runners: Runners):
    async def falls_silent(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        await reply.reports(ACCEPTED)
        await reply.silence()

    worker.process = [falls_silent, says(SOME, DONE)]

    told = await run(runners(read_timeout_s=0.3))

    assert working(told) == [ACCEPTED, SOME, DONE]


async def test_run_silent_post_is_broken_off_and_joined(worker: FakeWorker, runners: Runners):
    worker.process = [is_silent, says(DONE)]

    assert working(await run(runners(read_timeout_s=0.3))) == [DONE]


async def test_run_repeated_report_keeps_the_stream_alive(worker: FakeWorker, runners: Runners):
    async def repeats(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        for _ in range(8):
            await reply.reports(ACCEPTED)
            await asyncio.sleep(0.1)
        await reply.reports(DONE)

    worker.process = [repeats]

    told = await run(runners(read_timeout_s=0.5, patience_s=0.5))

    assert told == [ACCEPTED, DONE]
    assert len(worker.orders) == 1


@pytest.mark.parametrize("code", [408, 429, 502, 503, 504, 520, 530])
async def test_run_post_that_is_answered_not_now_is_tried_again(
    worker: FakeWorker, runners: Runners, code: int
):
    worker.process = [status(code), says(DONE)]

    assert working(await run(runners())) == [DONE]


async def test_run_attempt_that_was_begun_anew_begins_anew(worker: FakeWorker, runners: Runners):
    worker.process = [says_and_breaks(ACCEPTED, SOME, MORE), says(ACCEPTED, SOME, DONE)]

    told = await run(runners())

    assert working(told) == [ACCEPTED, SOME, MORE, ACCEPTED, SOME, DONE]


async def test_run_end_with_a_number_of_before_is_told(worker: FakeWorker, runners: Runners):
    used = a_report(
        1, "error", error={"code": "attempt_used", "detail": "Used.", "retryable": True}
    )
    worker.process = [says_and_breaks(ACCEPTED, SOME, MORE), says(used)]

    told = await run(runners())

    assert told[-1].error == used.error


async def test_run_sign_of_life_renews_patience(worker: FakeWorker, runners: Runners):
    steps = [a_report(seq, progress=seq / 10) for seq in range(5)]
    worker.process = [*(says(step) for step in steps), says(DONE.model_copy(update={"seq": 9}))]

    told = working(await run(runners(patience_s=0.5)))

    assert [report.seq for report in told] == [0, 1, 2, 3, 4, 9]


async def test_run_pauses_are_short_again_when_the_work_goes_on(
    worker: FakeWorker, runners: Runners
):
    worker.process = [*(says(a_report(seq)) for seq in range(5)), says(DONE)]

    begin = time.monotonic()
    await run(runners())

    assert time.monotonic() - begin < 3  # 5 × 0.2 s; pauses that grow take 3.8 s


async def test_run_streams_without_any_report_are_given_up(worker: FakeWorker, runners: Runners):
    worker.process = [says()]

    error = await refused(runners(patience_s=0.5))

    assert isinstance(error, WorkerUnreachable)
    assert "the stream ended without a last report" in str(error)


async def test_run_endless_line_is_given_up(worker: FakeWorker, runners: Runners):
    async def babbles(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        while True:
            await reply.part(b"x" * 65_536)

    worker.process = [babbles]

    error = await refused(runners(patience_s=0.3))

    assert "a line of more than" in str(error)


async def test_run_worker_that_goes_on_after_the_deadline_is_given_up(
    worker: FakeWorker, runners: Runners, monkeypatch: pytest.MonkeyPatch
):
    async def goes_on(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        while True:
            await reply.reports(ACCEPTED)
            await asyncio.sleep(0.05)

    worker.process = [goes_on]
    monkeypatch.setattr(remote, "_GRACE_S", 0.2)

    assert isinstance(await refused(runners(), an_order(within_s=0.3)), DeadlinePassed)
