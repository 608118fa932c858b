"""What the end of a worker leads to, at every moment of a job: faults really made."""

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
from deployment import (
    Deployment,
    Worker,
    assert_split_once,
    ended,
    environment,
    wait_for,
)
from numpy.typing import NDArray
from program import write_take
from sleeping_platform import SleepingPlatform

from stemset.jobs.attempts import LIMITS
from stemset.storage.keys import metadata_key

pytestmark = [pytest.mark.s3, pytest.mark.slow]

CRASHES = ["download", "separation", "upload:1", "upload:5", "manifest"]


@pytest.mark.parametrize("place", CRASHES)
def test_computing_process_killed_leads_to_the_next_attempt(
    deployment: Deployment, take: Path, place: str
) -> None:
    worker = deployment.worker(STEMSET_CRASH_AT=f"{place}@{deployment.folder / 'crashed'}")

    done = deployment.process(worker.url)

    assert done.code == 0, done.err
    assert (deployment.folder / "crashed").exists()
    assert [each["attempt"] for each in done.events("ordered")] == [1, 2]
    assert_split_once(deployment, take)
    assert [line["code"] for line in worker.lines("Attempt ended")] == ["computing_crashed", None]


@pytest.mark.parametrize("event", ["Downloading input", "Processing with", "Uploading"])
def test_worker_killed_and_started_again_leads_to_the_next_attempt(
    deployment: Deployment, take: Path, event: str
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line(event)
    worker.kill()
    deployment.worker(port=worker.port)

    done = ended(command)

    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_worker_told_to_stop_reports_it_and_the_job_goes_on_elsewhere(
    deployment: Deployment, take: Path
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line("Processing with")

    assert worker.terminate() == 0
    deployment.worker(port=worker.port)
    done = ended(command)

    assert done.code == 0, done.err
    (last,) = worker.lines("Attempt ended")
    assert last["code"] == "interrupted"
    assert_split_once(deployment, take)


def test_worker_thought_dead_changes_nothing_when_it_comes_back(
    deployment: Deployment, take: Path
) -> None:
    zombie, other = deployment.worker(), deployment.worker()
    command = deployment.start(zombie.url)
    zombie.wait_line("Processing with")
    zombie.signal(signal.SIGSTOP)
    command.kill()
    ended(command)

    done = deployment.process(other.url)
    (output,) = deployment.outputs()
    before = {path: path.read_bytes() for path in output.iterdir()}
    published = deployment.store.read(metadata_key("h4n", output.name))
    zombie.signal(signal.SIGCONT)
    wait_for(lambda: len(deployment.manifests()) == 2, "the zombie ends its attempt", zombie.log)

    assert done.code == 0, done.err
    assert {path: path.read_bytes() for path in output.iterdir()} == before
    assert deployment.store.read(metadata_key("h4n", output.name)) == published
    again = deployment.process(other.url)
    assert [each["event"] for each in again.events()] == ["skipped", "summary"]
    assert take.exists()


def test_answer_of_a_worker_killed_after_its_manifest_is_taken_from_the_bucket(
    deployment: Deployment, take: Path
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    wait_for(deployment.manifests, "the attempt is whole", worker.log)
    worker.kill()
    deployment.worker(port=worker.port)

    done = ended(command)

    assert done.code == 0, done.err
    assert [each["attempt"] for each in done.events("ordered")] == [1]
    assert_split_once(deployment, take)


@pytest.mark.parametrize("times", [1, LIMITS.failed])
def test_decoder_killed_is_tried_again_and_fails_its_recording_in_the_end_and_not_the_other(
    deployment: Deployment, long_take: Path, song: NDArray[np.float32], times: int
) -> None:
    other = write_take(deployment.recordings / "other.wav", np.tile(song[:, ::-1], (1, 11)))
    worker = deployment.worker()
    command = deployment.start(worker.url, long_take.name, other.name)
    worker.wait_line("Processing with")
    first = worker.lines("Processing with")[0]["job_id"]  # whichever reached the bucket first

    def decoders() -> list[psutil.Process]:
        if worker.lines("Processing with")[-1]["job_id"] != first:
            return []
        return [each for each in worker.tree() if "decoder_process" in " ".join(each.cmdline())]

    def begun() -> int:
        return [each["job_id"] for each in worker.lines("Processing with")].count(first)

    for number in range(1, times + 1):
        wait_for(lambda n=number: begun() == n and decoders(), "a decoder runs", worker.log)
        for each in decoders():
            os.kill(each.pid, signal.SIGKILL)
    done = ended(command)

    failed = [each["file"] for each in done.events("error") if each["code"] == "decoder_crashed"]
    if times < LIMITS.failed:
        assert done.code == 0, done.err
    else:
        assert done.code == 3, done.err
        assert len(failed) == 1
        (whole,) = {str(long_take), str(other)} - set(failed)
        assert_split_once(deployment, Path(whole))
    assert begun() == min(times + 1, LIMITS.failed)


def platform_of(deployment: Deployment, **times: float) -> SleepingPlatform:
    def start(port: int) -> "subprocess.Popen[bytes]":
        worker = Worker(environment(deployment.bucket), deployment.folder / "asleep.log", port)
        return worker.process

    return SleepingPlatform(start, **times)


def test_platform_that_sleeps_is_kept_awake_by_the_held_stream(
    deployment: Deployment, long_take: Path, second_take: Path
) -> None:
    with platform_of(deployment, wake_s=1.0, idle_s=2.0) as platform:
        done = deployment.process(platform.url)
        platform.wait_until_asleep(20)

    assert done.code == 0, done.err
    assert platform.wakes == 1
    assert platform.slept_at_work == 0
    phases = {each["phase"] for each in done.events("progress")}
    assert "waking" in phases
    assert_split_once(deployment, long_take, second_take)


def test_platform_that_slept_in_the_middle_of_a_job_is_woken_for_the_next_attempt(
    deployment: Deployment, long_take: Path
) -> None:
    with platform_of(deployment, wake_s=0.5, idle_s=2.0) as platform:
        command = deployment.start(platform.url)
        log = deployment.folder / "asleep.log"
        wait_for(lambda: log.exists() and "Processing with" in log.read_text(), "it works")
        command.kill()
        ended(command)
        platform.wait_until_asleep(20)

        done = deployment.process(platform.url)

    assert done.code == 0, done.err
    assert platform.wakes == 2
    assert platform.slept_at_work == 1
    assert_split_once(deployment, long_take)
