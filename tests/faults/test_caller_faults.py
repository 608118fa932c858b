"""What the end of the command, a clash or a wrong setting leads to: faults really made."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from deployment import SECRET, Deployment, assert_split_once, ended, uploads
from running_parts import wait_for
from s3_server import S3Server

pytestmark = [pytest.mark.s3, pytest.mark.slow]

ANOTHER_SECRET = "whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtdGhlc2UtdGVzdHM="


def test_command_interrupted_names_the_job_and_the_next_run_fetches_its_stems(
    deployment: Deployment, take: Path
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line("Processing with")
    (line,) = worker.lines("Processing with")

    command.send_signal(signal.SIGINT)
    interrupted = ended(command)
    wait_for(deployment.manifests, "the worker goes on", worker.log)
    done = deployment.process(worker.url)

    assert interrupted.code == 130
    assert line["job_id"][:8] in interrupted.err
    assert "take.wav" in interrupted.err
    assert deployment.outputs()
    assert done.code == 0, done.err
    assert done.events("ordered") == []
    assert len(worker.lines("Downloading input")) == 1
    assert_split_once(deployment, take)


def test_command_killed_while_the_worker_works_joins_it_in_the_next_run(
    deployment: Deployment, take: Path
) -> None:
    worker = deployment.worker()
    command = deployment.start(worker.url)
    worker.wait_line("Processing with")
    command.kill()
    ended(command)

    done = deployment.process(worker.url)

    assert done.code == 0, done.err
    assert uploads(done) == []
    assert len(worker.lines("Downloading input")) == 1
    assert_split_once(deployment, take)


@pytest.mark.parametrize(
    "place", ["claimed", "uploaded", "ordered", "published", "fetched", "moved"]
)
def test_command_killed_at_any_step_is_gone_on_with(
    deployment: Deployment, take: Path, place: str
) -> None:
    worker = deployment.worker()
    crash = f"process:{place}@{deployment.folder / 'crashed'}"

    killed = deployment.process(worker.url, STEMSET_CRASH_AT=crash)
    done = deployment.process(worker.url)

    assert killed.code == -signal.SIGKILL
    assert done.code == 0, done.err
    assert len(worker.lines("Downloading input")) == 1
    assert_split_once(deployment, take)


def test_two_commands_at_once_make_one_output(deployment: Deployment, take: Path) -> None:
    worker = deployment.worker()

    both = [deployment.start(worker.url) for _ in range(2)]
    ends = [ended(each) for each in both]

    assert 0 in {end.code for end in ends}
    for end in ends:
        assert end.code == 0 or [each["code"] for each in end.events("error")] == ["output_busy"]
    assert len(worker.lines("Downloading input")) == 1
    assert_split_once(deployment, take)


def test_two_jobs_with_one_output_name_have_keys_of_their_own(
    deployment: Deployment, take: Path
) -> None:
    worker = deployment.worker()
    assert deployment.process(worker.url).code == 0
    config = deployment.folder / "config.yaml"
    config.write_text(config.read_text().replace("format: flac", "format: wav"))

    done = deployment.process(worker.url)

    assert done.code == 0, done.err
    assert uploads(done) == []
    one, two = (key.rpartition("/")[0] for key in deployment.manifests())
    assert one.rpartition("/")[0] == two.rpartition("/")[0]
    assert one != two
    (output,) = deployment.outputs()
    assert (output / "vocals.wav").exists()
    assert take.exists()


def test_secret_that_differs_says_what_to_check(deployment: Deployment, take: Path) -> None:
    worker = deployment.worker()

    done = deployment.process(worker.url, STEMSET_WORKER_SECRET=ANOTHER_SECRET)

    assert take.exists()
    assert done.code == 5
    said = done.out + done.err
    assert "worker_refused" in said
    assert "STEMSET_WORKER_SECRET" in said
    assert "YW5vdGhlci1" not in said
    assert worker.lines("Signature refused")


def test_secret_in_rotation_is_accepted_on_both_sides(deployment: Deployment, take: Path) -> None:
    worker = deployment.worker(STEMSET_WORKER_SECRET=f"{ANOTHER_SECRET} {SECRET}")

    done = deployment.process(worker.url)

    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_worker_without_keys_splits_with_links(deployment: Deployment, take: Path) -> None:
    none = {"R2_BUCKET_NAME": "", "R2_ACCESS_KEY_ID": "", "R2_SECRET_ACCESS_KEY": ""}
    worker = deployment.worker(None, **none)

    refused = deployment.process(worker.url)
    done = deployment.process(worker.url, STEMSET_WORKER_LINKS="1")

    assert refused.code == 5
    assert "STEMSET_WORKER_LINKS" in refused.out + refused.err
    assert done.code == 0, done.err
    assert_split_once(deployment, take)


def test_worker_that_is_not_there_says_what_to_check(deployment: Deployment, take: Path) -> None:
    done = deployment.process("http://127.0.0.1:9", STEMSET_WORKER_PATIENCE_S="2")

    assert take.exists()
    assert done.code == 5
    assert "worker_unreachable" in done.out + done.err
    assert "http://127.0.0.1:9" in done.out + done.err


def test_any_process_killed_at_any_moment_ends_with_every_file_split_once(
    deployment: Deployment, take: Path, second_take: Path, s3_server: S3Server
) -> None:
    seed = int(os.environ.get("STEMSET_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    sys.stderr.write(f"STEMSET_TEST_SEED={seed}\n")
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    worker = deployment.worker()
    for victim in chance.sample(["command", "worker", "computing", "gateway"], 4):
        command = deployment.start(worker.url)
        time.sleep(chance.uniform(0.2, 4.0))
        if victim == "command":
            command.kill()
        elif victim == "worker":
            worker.kill()
            worker = deployment.worker(port=worker.port)
        elif victim == "computing" and len(worker.tree()) > 1:
            worker.tree()[1].kill()
        elif victim == "gateway":
            s3_server.stop_gateway()
            s3_server.start_gateway()
        ended(command)

    done = deployment.process(worker.url)

    assert done.code == 0, done.err
    assert_split_once(deployment, take, second_take)
