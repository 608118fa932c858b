"""The network of the machine that `stemset process` runs on is cut for a moment: for real."""

import subprocess
from collections.abc import Iterator

import pytest
from cut_off_command import CutOffCommand, Stage, cut_off_command
from deployment import Deployment, assert_split_once, ended, uploads
from own_network import Cut

pytestmark = [pytest.mark.s3, pytest.mark.slow]

MOMENT_S = 5


@pytest.fixture
def far(deployment: Deployment) -> Iterator[CutOffCommand]:
    with cut_off_command(deployment) as made:
        yield made


@pytest.mark.parametrize("how", Cut)
@pytest.mark.parametrize("stage", Stage)
def test_network_that_is_cut_for_a_moment_costs_nothing(
    far: CutOffCommand, stage: Stage, how: Cut
) -> None:
    command = far.run_and_cut(stage, how)
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(MOMENT_S)
    far.network.mend()

    done = ended(command)

    assert done.code == 0, done.err
    assert len(uploads(done)) == 1
    assert [each["attempt"] for each in done.events("ordered")] == [1]
    assert len(far.worker.lines("Downloading input")) == 1
    assert_split_once(far.deployment, far.recording)
