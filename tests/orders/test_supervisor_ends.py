import asyncio
import os
import signal

import pytest
from supervised import WITHIN_S, Fake, begun, failure, is_alive, last_of, until
from written_orders import an_order

from stemset.orders.messages import ComputingSettings, Status
from stemset.orders.supervisor import Supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (f"signal:{signal.SIGKILL:d}", "was killed: out of memory? (SIGKILL) (separating, 25%)"),
        (f"signal:{signal.SIGSEGV:d}", "was ended by SIGSEGV (separating, 25%)"),
        ("exit:3", "ended with status 3 (separating, 25%)"),
        ("exit:0", "ended with status 0 (separating, 25%)"),
        ("torn", "was ended by SIGSEGV (separating, 25%)"),
        ("mute", "stopped talking (separating, 25%)"),
        ("garbage:Segmentation fault", "said what is no message: 'Segmentation fault'"),
        ('garbage:{"version": 2}', """said what is no message: '{"version": 2}'"""),
        ('garbage:{"seq": 1}', """said what is no message: '{"seq": 1}'"""),
        ("garbage:", "said what is no message: ''"),
        ("garbage:\x00\x1b[2J", r"said what is no message: '\x00\x1b[2J'"),
        ("long", "said what is no message: 'xxxx"),
    ],
)
async def test_run_process_ends_without_an_answer_is_a_crash_and_the_next_order_works(
    fake: Fake, play: str, words: str
):
    supervisor = fake.supervisor()

    last = await last_of(supervisor.run(an_order(play)))
    after = await last_of(supervisor.run(an_order(attempt=2)))

    code, detail = failure(last)
    assert code == "computing_crashed"
    assert detail.startswith(f"The computing process {words}")
    assert (last.seq, last.progress) == (2, 0.25)
    assert (after.attempt, after.status) == (2, Status.COMPLETE)
    assert len(fake.pids) == 2


async def test_run_process_killed_from_outside_is_a_crash(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("hang"))

    os.kill(fake.pids[0], signal.SIGKILL)

    assert "out of memory?" in failure(await last_of(reports))[1]


async def test_run_complete_that_was_said_before_the_death_counts(fake: Fake):
    supervisor = fake.supervisor()

    last = await last_of(supervisor.run(an_order("late")))
    await until(lambda: len(fake.pids) == 2)

    assert last.status is Status.COMPLETE


async def test_run_process_that_dies_at_its_start_is_a_crash_with_its_status(fake: Fake):
    last = await last_of(fake.supervisor("die").run(an_order()))

    assert failure(last) == (
        "computing_crashed",
        "The computing process ended with status 4 (before it began).",
    )
    assert last.seq == 0


async def test_run_program_that_is_not_there_is_a_crash_that_says_so():
    supervisor = Supervisor(ComputingSettings(), command=("stemset-is-not-here",))

    last = await last_of(supervisor.run(an_order()))
    await supervisor.stop()

    assert "cannot be started: " in failure(last)[1]
    assert "stemset-is-not-here" in failure(last)[1]


async def test_run_process_that_babbles_before_it_is_ready_is_a_crash(fake: Fake):
    last = await last_of(fake.supervisor("babble").run(an_order()))

    assert "'Loading network…'" in failure(last)[1]


async def test_start_process_that_dies_at_once_is_not_started_without_pause(fake: Fake):
    supervisor = fake.supervisor("die")
    await supervisor.start()
    await until(lambda: len(fake.pids) == 1)

    await asyncio.sleep(0.5)

    assert len(fake.pids) == 1


async def test_run_idle_process_that_was_killed_is_replaced(fake: Fake):
    supervisor = fake.supervisor()
    await last_of(supervisor.run(an_order()))
    os.kill(fake.pids[0], signal.SIGKILL)
    await until(lambda: supervisor.ready is None)

    assert await supervisor.wait_ready(WITHIN_S)
    last = await last_of(supervisor.run(an_order(attempt=2)))

    assert last.status is Status.COMPLETE


async def test_run_deadline_passes_the_process_is_killed_and_started_again(fake: Fake):
    supervisor = fake.supervisor()
    await supervisor.start()
    assert await supervisor.wait_ready(WITHIN_S)

    last = await last_of(supervisor.run(an_order("hang", within_s=0.5)))

    assert failure(last)[0] == "deadline_passed"
    assert "separating, 25%" in failure(last)[1]
    assert not is_alive(fake.pids[0])
    assert await supervisor.wait_ready(WITHIN_S)


async def test_run_deadline_that_has_passed_never_reaches_the_process(fake: Fake):
    supervisor = fake.supervisor()
    await supervisor.start()
    assert await supervisor.wait_ready(WITHIN_S)

    last = await last_of(supervisor.run(an_order(within_s=-1)))
    after = await last_of(supervisor.run(an_order(attempt=2)))

    assert failure(last)[0] == "deadline_passed"
    assert after.status is Status.COMPLETE
    assert [each["message"]["attempt"] for each in fake.heard("separate")] == [2]
    assert len(fake.pids) == 1


@pytest.mark.parametrize("play", ["hang", "repeat"])
async def test_run_no_progress_for_too_long_is_a_stall(fake: Fake, play: str):
    supervisor = fake.supervisor(stall_s=0.5)

    last = await last_of(supervisor.run(an_order(play)))

    assert failure(last) == ("computing_stalled", "No progress in 0.5 s (separating, 25%).")
    assert not is_alive(fake.pids[0])


async def test_run_stopped_process_is_a_stall_and_the_next_order_works(fake: Fake):
    supervisor = fake.supervisor(stall_s=1)
    reports = await begun(supervisor, an_order("slow:1000"))

    os.kill(fake.pids[0], signal.SIGSTOP)
    last = await last_of(reports)
    after = await last_of(supervisor.run(an_order(attempt=2)))

    assert failure(last)[0] == "computing_stalled"
    assert after.status is Status.COMPLETE


async def test_run_process_that_never_gets_ready_is_a_stall_and_is_killed(fake: Fake):
    supervisor = fake.supervisor("never", stall_s=0.5)
    await supervisor.start()
    await until(lambda: fake.pids)

    last = await last_of(supervisor.run(an_order()))

    assert failure(last)[0] == "computing_stalled"
    assert not is_alive(fake.pids[0])


async def test_run_slow_progress_is_no_stall(fake: Fake):
    supervisor = fake.supervisor(stall_s=0.5)

    last = await last_of(supervisor.run(an_order("slow:20")))

    assert last.status is Status.COMPLETE


async def test_run_death_takes_the_rest_of_the_group_along(fake: Fake):
    supervisor = fake.supervisor()

    await last_of(supervisor.run(an_order(f"family:{signal.SIGSEGV:d}")))

    await until(lambda: not [pid for pid in fake.pids[:2] if is_alive(pid)])
