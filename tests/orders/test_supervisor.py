import pytest
from supervised import WITHIN_S, Fake, all_of, failure, last_of
from written_orders import an_order

from stemset.errors import WorkerBusy
from stemset.orders.messages import Status

pytestmark = pytest.mark.anyio


async def test_run_order_reports_in_order_and_completes(fake: Fake):
    told = await all_of(fake.supervisor().run(an_order()))

    assert [report.status for report in told][:: len(told) - 1] == [
        Status.ACCEPTED,
        Status.COMPLETE,
    ]
    assert told[-1].stems == ("vocals",)
    assert told[-1].seq == 3


async def test_run_settings_come_before_the_order(fake: Fake):
    await last_of(fake.supervisor().run(an_order()))

    heard = [each["message"] for each in fake.heard(None, "separate")]
    assert [each.get("job_id") for each in heard] == [None, "job"]
    assert heard[0]["load"] == ["fast"]


async def test_start_process_becomes_ready_with_its_ready_line(fake: Fake):
    supervisor = fake.supervisor()

    await supervisor.start()
    before = supervisor.ready

    assert before is None
    assert await supervisor.wait_ready(WITHIN_S)
    assert supervisor.ready
    assert supervisor.ready.device == "cpu"


async def test_wait_ready_process_that_never_is_gives_up_in_time(fake: Fake):
    supervisor = fake.supervisor("never")
    await supervisor.start()

    assert not await supervisor.wait_ready(0.2)


async def test_run_two_orders_are_carried_out_by_one_process(fake: Fake):
    supervisor = fake.supervisor()

    for number in range(2):
        last = await last_of(supervisor.run(an_order(job_id=f"job-{number}")))
        assert (last.job_id, last.status) == (f"job-{number}", Status.COMPLETE)

    assert len(fake.pids) == 1


async def test_run_while_running_is_refused_and_the_running_one_goes_on(fake: Fake):
    supervisor = fake.supervisor()
    reports = supervisor.run(an_order("slow:4"))

    with pytest.raises(WorkerBusy, match="at job job"):
        supervisor.run(an_order(job_id="other"))

    assert (await last_of(reports)).status is Status.COMPLETE


async def test_run_error_of_the_process_is_passed_on_and_the_process_kept(fake: Fake):
    supervisor = fake.supervisor()

    last = await last_of(supervisor.run(an_order("fail:audio_corrupt")))
    await last_of(supervisor.run(an_order()))

    assert failure(last) == ("audio_corrupt", "So it is.")
    assert len(fake.pids) == 1


async def test_run_reports_of_other_attempts_are_ignored(fake: Fake):
    told = await all_of(fake.supervisor().run(an_order("strangers")))

    assert {(report.job_id, report.attempt) for report in told} == {("job", 1)}
    assert told[-1].seq == 2


async def test_run_progress_never_goes_backwards(fake: Fake):
    told = await all_of(fake.supervisor().run(an_order("backwards")))

    progress = [report.progress for report in told]
    assert progress == sorted(progress)
