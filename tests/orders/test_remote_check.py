import pytest
from fake_worker import Call, FakeWorker, Reply, breaks, error, status
from remote_runs import SECRET, Runners

from stemset.errors import InvalidOrder, WorkerRefused, WorkerUnreachable
from stemset.orders.checks import Called, Check, Checked, parse_check
from stemset.orders.signing import verify

pytestmark = pytest.mark.anyio

QUESTION = Check(kind="check", models=("m",), backend_url="https://band.example")
ANSWER = Checked(called=Called(end="refused"))


async def answers(_call: Call, reply: Reply) -> None:
    await reply.send(200, ANSWER.line(), {"content-type": "application/json"})


async def test_check_is_signed_and_answered(worker: FakeWorker, runners: Runners):
    worker.process = [answers]

    assert await runners().check(QUESTION) == ANSWER

    (call,) = worker.calls
    assert call.line == "POST /check"
    verify([SECRET], call.headers, call.body)
    assert parse_check(call.body) == QUESTION


async def test_check_by_a_worker_that_does_not_know_it_tells_nothing(
    worker: FakeWorker, runners: Runners
):
    worker.process = [error(404, "not_found", "Not Found")]

    assert await runners().check(QUESTION) is None


async def test_check_is_asked_again_under_the_same_id_where_no_answer_came(
    worker: FakeWorker, runners: Runners
):
    busy = error(409, "worker_busy", "The worker is being checked already.")
    worker.process = [breaks, status(503), busy, answers]

    assert await runners().check(QUESTION) == ANSWER

    assert len({call.headers["webhook-id"] for call in worker.calls}) == 1
    assert len(worker.calls) == 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401, "signature_invalid", "No."), WorkerRefused),
        (error(400, "order_invalid", "No."), InvalidOrder),
        (status(200, "no JSON"), InvalidOrder),
        (status(302, location="https://elsewhere.example"), WorkerUnreachable),
    ],
)
async def test_check_that_is_refused_says_why(
    worker: FakeWorker, runners: Runners, answer: object, kind: type[Exception]
):
    worker.process = [answer]  # type: ignore[list-item]

    with pytest.raises(kind):
        await runners().check(QUESTION)
