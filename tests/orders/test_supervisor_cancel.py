import asyncio
import os
import signal
import time
from collections.abc import Sequence

import pytest
from supervised import (
    GONE_WITHIN_S,
    WITHIN_S,
    Fake,
    all_of,
    begun,
    failure,
    is_alive,
    last_of,
    until,
)
from written_orders import an_order

from stemset.errors import Interrupted
from stemset.orders.messages import Status

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

PROMPT_S = 2.0


async def test_cancel_running_job_ends_process_and_its_group_within_the_limit(fake: Fake):
    supervisor = fake.supervisor()
    reports = supervisor.run(an_order("family"))
    await until(lambda: len(fake.pids) == 2)

    begin = time.monotonic()
    await supervisor.cancel("job")
    spent_s = time.monotonic() - begin

    await until(lambda: not [pid for pid in fake.pids[:2] if is_alive(pid)])
    assert spent_s < PROMPT_S
    assert failure(await last_of(reports)) == ("cancelled", "The job was cancelled.")


async def test_cancel_stopped_process_ends_it(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("hang"))
    os.kill(fake.pids[0], signal.SIGSTOP)

    async with asyncio.timeout(GONE_WITHIN_S):
        await supervisor.cancel("job")

    assert failure(await last_of(reports))[0] == "cancelled"
    assert not is_alive(fake.pids[0])


async def test_cancel_process_is_warm_again_without_an_order(fake: Fake):
    supervisor = fake.supervisor()
    await begun(supervisor, an_order("hang"))

    await supervisor.cancel("job")

    assert supervisor.ready is None
    assert await supervisor.wait_ready(WITHIN_S)
    assert (await last_of(supervisor.run(an_order(attempt=2)))).status is Status.COMPLETE
    assert len(fake.pids) == 2


async def test_cancel_order_that_waits_for_the_process_spares_the_process(fake: Fake):
    supervisor = fake.supervisor()
    reports = supervisor.run(an_order())

    await supervisor.cancel("job")

    assert failure(await last_of(reports))[0] == "cancelled"
    assert (await last_of(supervisor.run(an_order(attempt=2)))).status is Status.COMPLETE
    assert [each["message"]["attempt"] for each in fake.heard("separate")] == [2]
    assert len(fake.pids) == 1


async def test_cancel_other_job_or_twice_changes_nothing(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("hang"))

    await supervisor.cancel("other")
    assert supervisor.running
    await asyncio.gather(supervisor.cancel("job"), supervisor.cancel("job"))
    await supervisor.cancel("job")

    assert [report.is_last for report in await all_of(reports)].count(True) == 1


async def test_cancel_after_the_end_changes_nothing(fake: Fake):
    supervisor = fake.supervisor()
    await last_of(supervisor.run(an_order()))

    await supervisor.cancel("job")

    assert supervisor.ready
    assert len(fake.pids) == 1


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25])
async def test_cancel_racing_with_the_end_gives_one_last_report(fake: Fake, delay_s: float):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("slow:3"))

    await asyncio.sleep(delay_s)
    await supervisor.cancel("job")
    last = await last_of(reports)
    after = await last_of(supervisor.run(an_order(attempt=2)))

    assert last.status is Status.COMPLETE or failure(last)[0] == "cancelled"
    assert after.status is Status.COMPLETE


async def test_stop_while_a_cancel_is_on_its_way_leaves_the_job_cancelled(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("hang"))

    await asyncio.gather(supervisor.cancel("job"), supervisor.stop())

    assert failure(await last_of(reports))[0] == "cancelled"


async def test_cancel_after_an_end_that_was_not_heard_yet_spares_the_next_order(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("slow:1"))
    time.sleep(0.5)  # noqa: ASYNC251 - nobody listens while it says that it is complete

    await supervisor.cancel("job")
    next_one = supervisor.run(an_order(attempt=2))

    assert (await last_of(reports)).status is Status.COMPLETE
    assert (await last_of(next_one)).status is Status.COMPLETE
    assert len(fake.pids) == 2


async def test_stop_running_attempt_is_interrupted_and_nothing_is_left(fake: Fake):
    supervisor = fake.supervisor()
    reports = await begun(supervisor, an_order("family"))

    async with asyncio.timeout(GONE_WITHIN_S):
        await supervisor.stop("The instance is being scaled in.")

    assert failure(await last_of(reports)) == ("interrupted", "The instance is being scaled in.")
    await until(lambda: not fake.alive())
    assert supervisor.ready is None
    with pytest.raises(Interrupted, match="scaled in"):
        supervisor.run(an_order(attempt=2))


@pytest.mark.parametrize("begin", [(), ("never",), ("die",)])
async def test_stop_idle_process_in_any_state_is_gone_for_good(fake: Fake, begin: Sequence[str]):
    supervisor = fake.supervisor(*begin)
    await supervisor.start()
    await until(lambda: fake.pids)

    async with asyncio.timeout(GONE_WITHIN_S):
        await supervisor.stop()
        await supervisor.stop()

    await supervisor.start()
    assert fake.alive() == []
    assert len(fake.pids) == 1


async def test_stop_before_start_is_harmless(fake: Fake):
    await fake.supervisor().stop()

    assert fake.pids == []
