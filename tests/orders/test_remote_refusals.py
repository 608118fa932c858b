import time

import pytest
from fake_worker import Call, FakeWorker, Reply, error, says, status
from remote_runs import ACCEPTED, DONE, OTHER_SECRET, SECRET, Runners, refused, run, waking, working
from written_orders import an_order

from stemset.errors import (
    ClockSkewed,
    InvalidOrder,
    SignatureInvalid,
    WorkerBusy,
    WorkerFailed,
    WorkerRefused,
    WorkerUnreachable,
)
from stemset.orders.signing import verify

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


async def test_run_busy_worker_is_waited_for(worker: FakeWorker, runners: Runners):
    busy = error(409, "worker_busy", "The worker is busy with job other.", retry_after="1")
    worker.process = [busy, busy, says(ACCEPTED, DONE)]

    begin = time.monotonic()
    told = await run(runners(patience_s=0.5))

    assert working(told) == [ACCEPTED, DONE]
    assert waking(told)
    assert time.monotonic() - begin >= 2
    assert len(worker.orders) == 3


async def test_run_busy_worker_has_shown_that_it_lives(worker: FakeWorker, runners: Runners):
    busy = error(409, "worker_busy", "The worker is busy with job other.", retry_after="1")
    worker.process = [busy, busy, status(503), says(DONE)]

    assert working(await run(runners(patience_s=1.5))) == [DONE]


async def test_run_path_that_a_server_does_not_know_is_no_workers(
    worker: FakeWorker, runners: Runners
):
    worker.process = [error(404, "not_found", "Not Found")]

    assert isinstance(await refused(runners()), WorkerUnreachable)


async def test_run_worker_busy_to_the_deadline_is_given_up(worker: FakeWorker, runners: Runners):
    worker.process = [
        error(409, "worker_busy", "The worker is busy with job other.", retry_after="9999")
    ]

    error_ = await refused(runners(), an_order(within_s=0.6))

    assert isinstance(error_, WorkerBusy)
    assert "The worker is busy with job other" in str(error_)


async def test_run_wrong_secret_is_refused_with_what_to_check(worker: FakeWorker, runners: Runners):
    async def checks(call: Call, reply: Reply) -> None:
        try:
            verify([OTHER_SECRET], call.headers, call.body)
        except SignatureInvalid as invalid:
            await reply.error(401, invalid.code, str(invalid))

    worker.process = [checks]

    error = await refused(runners())

    assert isinstance(error, WorkerRefused)
    assert "signed with another secret" in str(error)
    assert "STEMSET_WORKER_SECRET must hold the same secret on both sides" in str(error)
    assert SECRET not in str(error)
    assert len(worker.orders) == 1


async def test_run_missing_secret_is_refused_with_what_to_set(worker: FakeWorker, runners: Runners):
    worker.process = [error(401, "signature_invalid", "The call is not signed.")]

    error_ = await refused(runners(secrets=()))

    assert isinstance(error_, WorkerRefused)
    assert "Set STEMSET_WORKER_SECRET here" in str(error_)


async def test_run_skewed_clock_is_refused_with_the_numbers(worker: FakeWorker, runners: Runners):
    async def checks(call: Call, reply: Reply) -> None:
        stamp = str(int(call.headers["webhook-timestamp"]) + 600)
        try:
            verify([SECRET], {**call.headers, "webhook-timestamp": stamp}, call.body)
        except ClockSkewed as skewed:
            await reply.error(401, skewed.code, str(skewed))

    worker.process = [checks]

    error = await refused(runners())

    assert isinstance(error, WorkerRefused)
    assert "s ahead of this machine's clock; 300 s are tolerated. Set both clocks" in str(error)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize("code", [400, 413, 415, 422])
async def test_run_refused_order_raises_the_workers_error(
    worker: FakeWorker, runners: Runners, code: int
):
    worker.process = [error(code, "order_invalid", "order: input.key: Field required.")]

    error_ = await refused(runners())

    assert type(error_) is InvalidOrder
    assert str(error_) == "order: input.key: Field required."
    assert len(worker.orders) == 1


@pytest.mark.parametrize("code", [400, 500])
async def test_run_code_that_this_version_does_not_know_is_a_failed_worker(
    worker: FakeWorker, runners: Runners, code: int
):
    worker.process = [error(code, "quota_used", "No more today.")]

    error_ = await refused(runners())

    assert type(error_) is WorkerFailed
    assert str(error_) == "No more today. [quota_used]"


@pytest.mark.parametrize(
    "body", ['{"detail": [{"msg": "x"}]}', '{"error": "x"}', "[]", '"x"', "\x00", ""]
)
async def test_run_refusal_in_another_form_is_no_workers(
    worker: FakeWorker, runners: Runners, body: str
):
    worker.process = [status(422, body)]

    assert isinstance(await refused(runners()), WorkerUnreachable)
