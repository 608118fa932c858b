import asyncio

import pytest
from fake_worker import Call, FakeWorker, Reply, says, status
from remote_runs import ACCEPTED, DONE, MORE, SECRET, SOME, WITHIN_S, Runners, refused, run
from written_orders import a_report, an_order

from stemset.errors import UnsupportedVersion
from stemset.orders.signing import verify

pytestmark = pytest.mark.anyio


async def test_run_warm_worker_yields_its_reports_and_no_waking(runners: Runners):
    assert await run(runners()) == [ACCEPTED, SOME, MORE, DONE]


async def test_run_order_is_posted_byte_for_byte_and_signed(worker: FakeWorker, runners: Runners):
    order = an_order(job_id="job", attempt=1)

    await run(runners(), order)

    (call,) = worker.orders
    verify([SECRET], call.headers, call.body)
    assert call.body == order.line()
    assert call.headers["webhook-id"] == "job-1"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"


async def test_run_without_a_secret_is_not_signed(worker: FakeWorker, runners: Runners):
    await run(runners(secrets=()))

    assert "webhook-signature" not in worker.orders[0].headers


async def test_run_url_with_path_and_slash_keeps_the_path(worker: FakeWorker, runners: Runners):
    worker.ready = [status(404)]

    await refused(runners(f"{worker.url}/gpu/"))

    assert worker.lines("GET") == ["GET /gpu/readyz"]


async def test_run_repeated_blank_and_strange_lines_are_dropped(
    worker: FakeWorker, runners: Runners
):
    stranger = MORE.model_copy(update={"job_id": "other", "seq": 9})
    zombie = MORE.model_copy(update={"attempt": 2, "seq": 9})

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        await reply.reports(ACCEPTED, ACCEPTED, stranger, zombie, SOME)
        await reply.part(b"\n\r\n: ping\n{}\n[1]\n\xff\xfe\n")
        await reply.reports(SOME, MORE, SOME, DONE)

    worker.process = [answer]

    assert await run(runners()) == [ACCEPTED, SOME, MORE, DONE]


async def test_run_lines_may_come_in_any_pieces(worker: FakeWorker, runners: Runners):
    odd = DONE.model_copy(update={"stems": ("vo\u2028cals", "b\x85ss", "é")})

    async def answer(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        whole = ACCEPTED.line() + SOME.line().replace(b"\n", b"\r\n") + odd.line()
        for byte in whole:
            await reply.part(bytes([byte]))

    worker.process = [answer]

    assert await run(runners()) == [ACCEPTED, SOME, odd]


async def test_run_error_report_is_the_last_one(worker: FakeWorker, runners: Runners):
    failed = a_report(
        2, "error", error={"code": "no_space", "detail": "Disk full.", "retryable": True}
    )
    worker.process = [says(ACCEPTED, SOME, failed)]

    told = await run(runners())

    assert told[-1].error == failed.error
    assert told[-1].progress == SOME.progress  # it says 0, and a bar that falls back means nothing


async def test_run_report_of_a_higher_version_is_refused_by_name(
    worker: FakeWorker, runners: Runners
):
    async def answer(_call: Call, reply: Reply) -> None:
        await reply.begin_stream()
        await reply.part(ACCEPTED.line().replace(b'"version":1', b'"version":2'))

    worker.process = [answer]

    assert isinstance(await refused(runners()), UnsupportedVersion)


async def test_run_reader_that_goes_away_cancels_nothing(worker: FakeWorker, runners: Runners):
    async with asyncio.timeout(WITHIN_S):
        reports = runners().run(an_order())
        await anext(reports)
        await reports.aclose()

    assert worker.lines("DELETE") == []
