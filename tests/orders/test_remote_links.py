import asyncio
from collections.abc import Sequence

import fake_worker
import pytest
from fake_worker import (
    Answer,
    Call,
    FakeWorker,
    breaks,
    error,
    is_silent,
    says,
    says_and_breaks,
    status,
)
from remote_runs import ACCEPTED, DONE, SECRET, SOME, WITHIN_S, Runners, run, working
from written_orders import a_report

from stemset.errors import StorageUnavailable, WorkerBusy, WorkerRefused, WorkerUnreachable
from stemset.orders.messages import LinkWanted, parse_links
from stemset.orders.signing import subject, verify

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


QUESTION = a_report(2, phase="uploading", wanted=[{"method": "PUT", "name": "vocals.flac"}])


class LinkMaker:
    """Makes links, and notes what for."""

    def __init__(self) -> None:
        self.asked: list[Sequence[LinkWanted]] = []

    async def __call__(self, wanted: Sequence[LinkWanted]) -> Sequence[str]:
        self.asked.append(wanted)
        return [f"https://bucket/{each.name}?{len(self.asked)}" for each in wanted]


def sent(worker: FakeWorker) -> list[Call]:
    return [call for call in worker.calls if call.line == "POST /process/job/links"]


async def test_run_links_that_are_wanted_are_sent_signed_and_once(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says(ACCEPTED, SOME, QUESTION, QUESTION, DONE)]
    links = LinkMaker()

    told = await run(runners(), make_links=links)

    (call,) = sent(worker)
    verify([SECRET], call.headers, call.body)
    answer = parse_links(call.body)
    assert (answer.job_id, answer.attempt, answer.seq) == ("job", 1, QUESTION.seq)
    assert answer.urls == ("https://bucket/vocals.flac?1",)
    assert [report.seq for report in told] == [0, 1, 2, 3]
    assert told[2].progress == SOME.progress


async def test_run_links_that_nobody_can_make_are_left_to_the_reader(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says(ACCEPTED, SOME, QUESTION, DONE)]

    told = await run(runners())

    assert told[2].wanted == QUESTION.wanted
    assert sent(worker) == []


@pytest.mark.parametrize("failing", [breaks, status(503), is_silent])
async def test_run_links_that_did_not_arrive_are_made_again(
    worker: FakeWorker, runners: Runners, failing: Answer
):
    latest = a_report(4, phase="uploading", progress=0.9)
    last = DONE.model_copy(update={"seq": 5})
    worker.process = [says(ACCEPTED, SOME, QUESTION), says(QUESTION, latest, last)]
    worker.links = [failing, fake_worker.is_taken]
    links = LinkMaker()

    told = await run(runners(read_timeout_s=0.3), make_links=links)

    assert [parse_links(call.body).urls[0][-1] for call in sent(worker)] == ["1", "2"]
    assert [report.seq for report in working(told)] == [0, 1, 2, 4, 5]


async def test_run_question_that_comes_after_a_later_report_is_answered(
    worker: FakeWorker, runners: Runners
):
    latest = a_report(4, phase="uploading", progress=0.9)
    last = DONE.model_copy(update={"seq": 5})
    worker.process = [says_and_breaks(ACCEPTED, latest), says(QUESTION, latest, last)]

    told = await run(runners(), make_links=LinkMaker())

    assert len(sent(worker)) == 1
    assert [report.seq for report in working(told)] == [0, 4, 5]


async def test_run_links_for_an_attempt_that_has_ended_are_no_error(
    worker: FakeWorker, runners: Runners
):
    worker.process = [says(ACCEPTED, SOME, QUESTION, DONE)]
    worker.links = [error(404, "job_unknown", "No such job.")]

    assert (await run(runners(), make_links=LinkMaker()))[-1] == DONE


async def test_run_links_that_cannot_be_made_cancel_the_attempt(
    worker: FakeWorker, runners: Runners
):
    async def make_links(_wanted: Sequence[LinkWanted]) -> Sequence[str]:
        raise StorageUnavailable("The bucket is away.")

    worker.process = [says(ACCEPTED, SOME, QUESTION, DONE)]

    with pytest.raises(StorageUnavailable):
        await run(runners(), make_links=make_links)

    assert worker.lines("DELETE") == ["DELETE /process/job"]


@pytest.mark.parametrize("code", [200, 202, 204, 404])
async def test_cancel_is_signed_over_method_and_path(
    worker: FakeWorker, runners: Runners, code: int
):
    worker.delete = [status(code)]

    async with asyncio.timeout(WITHIN_S):
        await runners().cancel("job")

    (call,) = worker.calls
    verify([SECRET], call.headers, subject("DELETE", "/process/job"))
    assert (call.line, call.body) == ("DELETE /process/job", b"")
    assert call.headers["webhook-id"] == "cancel-job"


async def test_cancel_is_tried_again(worker: FakeWorker, runners: Runners):
    worker.delete = [breaks, status(503), status(202)]

    async with asyncio.timeout(WITHIN_S):
        await runners().cancel("job")

    assert len(worker.calls) == 3


async def test_cancel_nobody_listens_is_given_up(worker: FakeWorker, runners: Runners):
    await worker.stop()

    with pytest.raises(WorkerUnreachable, match=worker.url):
        await runners(patience_s=0.5).cancel("job")


async def test_cancel_that_is_answered_busy_for_ever_is_given_up(
    worker: FakeWorker, runners: Runners
):
    worker.delete = [error(409, "worker_busy", "Busy.")]

    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(WorkerBusy):
            await runners(patience_s=0.5).cancel("job")


async def test_cancel_with_a_wrong_secret_is_refused(worker: FakeWorker, runners: Runners):
    worker.delete = [error(401, "signature_invalid", "Another secret.")]

    with pytest.raises(WorkerRefused):
        await runners().cancel("job")
