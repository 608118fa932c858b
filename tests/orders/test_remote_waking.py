import asyncio
import socket
import time

import httpx
import pytest
from fake_worker import (
    Answer,
    Call,
    FakeWorker,
    Listener,
    Reply,
    breaks,
    is_ready,
    is_silent,
    says,
    says_and_breaks,
    status,
)
from remote_runs import ACCEPTED, DONE, MORE, SOME, WITHIN_S, Runners, refused, run, waking, working
from written_orders import an_order

from stemset.errors import WorkerUnreachable
from stemset.orders import _course
from stemset.orders._answers import TryAgain, translated
from stemset.orders.messages import Status
from stemset.orders.phase import Phase

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


async def test_run_cold_start_is_waited_for_and_told_at_once(worker: FakeWorker, runners: Runners):
    await worker.stop()
    worker.ready = [
        status(503, retry_after="0"),
        status(502, "<html>Bad gateway</html>", content_type="text/html"),
        is_ready,
    ]
    told, begin = [], time.monotonic()
    async with asyncio.timeout(WITHIN_S):
        async for report in runners().run(an_order()):
            if not told:  # refused at first
                assert report.phase is Phase.WAKING
                assert time.monotonic() - begin < 1
                await worker.start()
            told.append(report)

    assert {(each.seq, each.status, each.progress) for each in waking(told)} == {
        (-1, Status.PROGRESS, 0.0)
    }
    assert working(told) == [ACCEPTED, SOME, MORE, DONE]
    assert len(worker.lines("GET")) == 3
    assert len(worker.orders) == 1


async def test_run_platform_that_holds_the_first_call_is_told_as_waking(
    worker: FakeWorker, runners: Runners
):
    async def holds(call: Call, reply: Reply) -> None:
        await asyncio.sleep(1.3)
        await is_ready(call, reply)

    worker.ready = [holds]

    told = await run(runners())

    assert [report.phase for report in told[:2]] == [Phase.WAKING, None]
    assert worker.lines("GET") == ["GET /readyz"]


async def test_run_waking_is_told_again_every_few_seconds(
    worker: FakeWorker, runners: Runners, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_course, "WAKING_EVERY_S", 0.5)
    worker.ready = [*[status(503)] * 4, is_ready]  # ready after 2.1 s

    told = await run(runners())

    assert 3 <= len(waking(told)) <= 4


async def test_run_nobody_listens_is_given_up_with_url_and_cause(
    worker: FakeWorker, runners: Runners
):
    await worker.stop()

    begin = time.monotonic()
    error = await refused(runners(patience_s=0.7))

    assert isinstance(error, WorkerUnreachable)
    assert f"The worker at {worker.url} was waited for for 0.7 s." in str(error)
    assert "Connect call failed" in str(error)
    assert 0.7 <= time.monotonic() - begin < 5


async def test_run_worker_that_stays_away_is_given_up_at_the_deadline(
    worker: FakeWorker, runners: Runners
):
    worker.ready = [status(503)]

    error = await refused(runners(), an_order(within_s=0.5))

    assert isinstance(error, WorkerUnreachable)
    assert "up to the order's deadline. The last cause: answered 503." in str(error)


async def test_run_silent_health_is_given_up(worker: FakeWorker, runners: Runners):
    worker.ready = [is_silent]

    error = await refused(runners(patience_s=0.5, read_timeout_s=0.2))

    assert "nothing arrived in time" in str(error)


async def test_run_health_that_breaks_off_is_tried_again(worker: FakeWorker, runners: Runners):
    worker.ready = [breaks, is_ready]

    assert working(await run(runners()))[-1] == DONE


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            status(200, "<html>Welcome</html>", content_type="text/html; charset=utf-8"),
            "answered 200 with an HTML page: that is no Stemset worker. Check the worker's URL",
        ),
        (status(404, "No active service"), "answered 404 ('No active service')"),
        (status(404, "<html/>", content_type="text/html"), "answered 404 with an HTML page"),
        (status(204), "answered 204: that is no"),
        (status(403), "answered 403: that is no"),
        (status(405), "answered 405: that is no"),
        (status(500), "answered 500: that is no"),
        (
            status(301, location="https://elsewhere.example/readyz"),
            "answered 301, a redirect to 'https://elsewhere.example/readyz', which is not followed",
        ),
    ],
)
@pytest.mark.parametrize("place", ["ready", "process"])
async def test_run_answer_that_is_no_workers_is_given_up_at_once(
    worker: FakeWorker, runners: Runners, place: str, answer: Answer, words: str
):
    setattr(worker, place, [answer])

    error = await refused(runners())

    assert isinstance(error, WorkerUnreachable)
    assert words in str(error)
    assert worker.url in str(error)
    assert len(worker.orders) == (place == "process")


async def test_run_redirect_is_not_followed(worker: FakeWorker, runners: Runners):
    worker.process = [status(307, location=f"{worker.url}/stolen")]

    await refused(runners())

    assert worker.lines("POST") == ["POST /process"]


async def test_run_answer_that_is_no_workers_amid_the_work_is_waited_out(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says_and_breaks(ACCEPTED, SOME), says(SOME, MORE, DONE)]
    worker.ready = [is_ready, status(404, "No active service"), is_ready]

    assert working(await run(runners())) == [ACCEPTED, SOME, MORE, DONE]


async def test_run_tls_to_a_server_without_it_says_so_at_once(runners: Runners):
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    listener = Listener(plain)
    await listener.start()

    error = await refused(runners(listener.url.replace("http:", "https:")))
    await listener.stop()

    assert isinstance(error, WorkerUnreachable)
    assert "no TLS connection: " in str(error)


async def test_run_tls_that_breaks_off_is_tried_again(runners: Runners):
    calls: list[bytes] = []

    async def breaks_off(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.read(1))

    listener = Listener(breaks_off)
    await listener.start()

    error = await refused(runners(listener.url.replace("http:", "https:"), patience_s=0.5))
    await listener.stop()

    assert "no TLS connection" not in str(error)
    assert len(calls) > 1


def test_translated_host_that_does_not_exist_is_hopeless():
    with pytest.raises(socket.gaierror) as cause:
        socket.getaddrinfo("worker", 443, flags=socket.AI_NUMERICHOST)
    error = httpx.ConnectError("")
    error.__cause__ = cause.value

    with pytest.raises(TryAgain, match="no such host") as raised, translated():
        raise error

    assert raised.value.hopeless


async def test_run_stays_the_same_when_the_wall_clock_steps_back(
    worker: FakeWorker, runners: Runners, monkeypatch: pytest.MonkeyPatch
):
    worker.ready = [status(503)]
    order = an_order(within_s=0.8)
    wrong = time.time() - 3600

    async def step_back() -> None:
        await asyncio.sleep(0.3)
        monkeypatch.setattr(time, "time", lambda: wrong)

    step = asyncio.create_task(step_back())
    begin = time.monotonic()
    error = await refused(runners(), order)
    await step

    assert isinstance(error, WorkerUnreachable)
    assert time.monotonic() - begin < 5
