"""The network of the machine that `stemset process` runs on is gone for long: for real."""

from collections.abc import Iterator

import pytest
from cut_off_command import CutOffCommand, Stage, cut_off_command
from deployment import Deployment, assert_split_once, ended, uploads
from own_network import Cut

from stemset.cli.exit_codes import ExitCode

pytestmark = [pytest.mark.s3, pytest.mark.slow]

IMPATIENT = {"STEMSET_STORAGE_RETRY_S": "4", "STEMSET_WORKER_PATIENCE_S": "4"}

CHUNK_BYTES = 1 << 20
"""A download is written in such pieces."""

BESIDE_BYTES = 100_000
"""What is read beside the stems: heads of answers, manifest, metadata."""


@pytest.fixture
def far(deployment: Deployment) -> Iterator[CutOffCommand]:
    with cut_off_command(deployment) as made:
        yield made


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        (Stage.UPLOADING, Cut.OFF),
        (Stage.WAITING, Cut.PULLED),
        (Stage.DOWNLOADING, Cut.OFF),
    ],
)
def test_network_that_is_gone_ends_the_command_by_name_and_the_next_run_goes_on(
    far: CutOffCommand, stage: Stage, how: Cut
) -> None:
    failed = ended(far.run_and_cut(stage, how, **IMPATIENT))
    far.network.mend()
    kept = {each.name: each.stat().st_size for each in far.deployment.media.glob(".*/*")}
    fetched_bytes = far.bucket.answered_bytes

    done = far.run()

    fetched_bytes = far.bucket.answered_bytes - fetched_bytes
    assert failed.code == ExitCode.REMOTE, failed.err
    (error,) = failed.events("error")
    assert error["code"] == "storage_unavailable"
    assert f"Check the network and the bucket's address {far.bucket.url}" in error["message"]
    assert done.code == 0, done.err
    assert len(uploads(failed) + uploads(done)) == 1
    assert len(far.worker.lines("Downloading input")) == 1
    assert_split_once(far.deployment, far.recording)
    if stage is Stage.DOWNLOADING:
        (output,) = far.deployment.outputs()
        length = sum(each.stat().st_size for each in output.iterdir())
        assert max(size for name, size in kept.items() if name.endswith(".part")) >= CHUNK_BYTES
        assert fetched_bytes < length - sum(kept.values()) + BESIDE_BYTES
