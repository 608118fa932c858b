import asyncio

import pytest
from supervised import WITHIN_S, Fake, all_of, begun, last_of, until
from written_orders import an_order

from stemset.errors import ComputingCrashed, ComputingStalled, WorkerBusy
from stemset.orders.messages import Status
from stemset.orders.supervisor import Supervisor

pytestmark = pytest.mark.anyio


async def ready(fake: Fake) -> Supervisor:
    supervisor = fake.supervisor()
    await supervisor.start()
    assert await supervisor.wait_ready(WITHIN_S)
    return supervisor


async def test_inspect_gives_what_the_process_has_found(fake: Fake):
    supervisor = await ready(fake)

    found = [await supervisor.inspect(["cuda"], WITHIN_S) for _ in range(2)]

    assert [(each.seq, each.device) for each in found] == [(1, "cuda"), (2, "cuda")]
    assert [each["message"]["models"] for each in fake.heard("inspect")] == [["cuda"]] * 2


async def test_inspect_process_that_is_not_ready_is_refused(fake: Fake):
    with pytest.raises(WorkerBusy):
        await fake.supervisor("never").inspect(["cpu"], WITHIN_S)


async def test_inspect_while_a_job_runs_is_refused_and_leaves_it_alone(fake: Fake):
    supervisor = await ready(fake)
    reports = await begun(supervisor, an_order("slow:20"))

    with pytest.raises(WorkerBusy):
        await supervisor.inspect(["cpu"], WITHIN_S)

    assert (await last_of(reports)).status is Status.COMPLETE
    assert not fake.heard("inspect")


async def test_inspect_twice_at_once_is_refused(fake: Fake):
    supervisor = await ready(fake)
    first = asyncio.create_task(supervisor.inspect(["slow:0.3"], WITHIN_S))
    await until(lambda: fake.heard("inspect"))

    with pytest.raises(WorkerBusy):
        await supervisor.inspect(["cpu"], WITHIN_S)

    assert (await first).device == "slow"


async def test_order_during_an_inspection_is_carried_out_behind_it(fake: Fake):
    supervisor = await ready(fake)
    inspection = asyncio.create_task(supervisor.inspect(["slow:0.3"], WITHIN_S))
    await until(lambda: fake.heard("inspect"))

    reports = await all_of(supervisor.run(an_order()))

    assert (await inspection).device == "slow"
    assert reports[-1].status is Status.COMPLETE


async def test_inspect_that_takes_too_long_is_given_up_and_its_answer_dropped(fake: Fake):
    supervisor = await ready(fake)

    with pytest.raises(ComputingStalled, match=r"within 0\.1 s"):
        await supervisor.inspect(["slow:0.5"], 0.1)

    assert (await supervisor.inspect(["cpu"], WITHIN_S)).device == "cpu"


async def test_inspect_answer_to_another_question_is_dropped(fake: Fake):
    supervisor = await ready(fake)

    with pytest.raises(ComputingStalled):
        await supervisor.inspect(["another"], 0.3)


@pytest.mark.parametrize(
    ("model", "said"), [("exit:7", "ended with status 7"), ("garbage", "what is no message")]
)
async def test_inspect_that_ends_the_process_says_so_and_the_next_one_works(
    fake: Fake, model: str, said: str
):
    supervisor = await ready(fake)

    with pytest.raises(ComputingCrashed, match=said):
        await supervisor.inspect([model], WITHIN_S)

    reports = await all_of(supervisor.run(an_order()))
    assert reports[-1].status is Status.COMPLETE
