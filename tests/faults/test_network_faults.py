"""Networks that really fail in a whole deployment: weights that give NaN, memory that ends."""

import hashlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from running_parts import Part
from s3_server import S3Server
from service_deployment import FAR, ServiceDeployment, service
from short_takes import Takes

import mdx_graphs
from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.catalogue.weights import RECORD_FILE, model_cache
from stemset.jobs.attempts import LIMITS
from stemset.separation.networks.mdx import SIZES

pytestmark = [pytest.mark.slow, pytest.mark.s3]

GOOD, BROKEN = "spleeter-2stems", "kuielab_b_drums"
CONFIG = f"""
strategies:
  broken: {{_: {BROKEN}, drums: drums, not_drums: rest}}
profiles:
  - {{name: {FAR}, source_folder: recordings, remote: true, output: {{format: flac}}}}
  - name: broken
    source_folder: recordings
    remote: true
    strategy: broken
    output: {{format: flac}}
"""
LEFT_BYTES = 48 << 20
"""What the computing process may still take: threads and pipes have room, the network has not."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, example: Path) -> Path:
    """A model cache with the default model, and one whose weights are not finite."""
    del example
    cache = tmp_path_factory.mktemp("models")
    (cache / GOOD).symlink_to(model_cache() / GOOD)
    install_stand_in(find(BROKEN), cache)
    record = cache / BROKEN / RECORD_FILE
    facts = json.loads(record.read_text("utf-8"))
    (name,) = facts["files"]
    graph = mdx_graphs.local(SIZES[BROKEN])
    for weights in graph.graph.initializer:
        values = np.full(tuple(weights.dims), np.nan, np.float32)
        weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    data = graph.SerializeToString()
    (cache / BROKEN / name).write_bytes(data)
    facts["files"][name] = hashlib.sha256(data).hexdigest()
    record.write_text(json.dumps(facts), "utf-8")
    return cache


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server, models: Path
) -> Iterator[ServiceDeployment]:
    """A service with a bucket; no worker yet."""
    s3_server.mend()
    folder = tmp_path_factory.mktemp("networks") / "service"
    with service(folder, bucket=s3_server.new_bucket(), config=CONFIG) as made:
        made.serve("--no-compute", STEMSET_MODEL_DIR=str(models))
        yield made


@pytest.fixture
def worker(deployment: ServiceDeployment, models: Path) -> Iterator[Part]:
    made = deployment.worker(STEMSET_MODEL_DIR=str(models))
    yield made
    made.kill()


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=21)


def stored(deployment: ServiceDeployment, profile: str) -> list[str]:
    """What lies below a profile's outputs, beside claims."""
    keys = [info.key for info in deployment.store.list_below(f"outputs/{profile}")]
    return [key for key in keys if not key.endswith("/claim.json")]


@pytest.mark.usefixtures("worker")
def test_network_that_gives_nan_ends_its_job_and_no_other_and_leaves_no_stem(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    broken = deployment.separate(takes.wav(8), "broken.wav", "broken")
    good = deployment.separate(takes.wav(8), "good.wav", FAR)

    assert deployment.wait_ended(broken, good) == ["error", "complete"]
    status = deployment.status(broken)
    assert status["error_code"] == "network_failed"
    assert not status["stems"]
    codes = [each["error"]["code"] for each in deployment.books.attempts(broken)]
    assert codes == ["network_failed"] * LIMITS.failed
    assert stored(deployment, "broken") == []
    deployment.assert_well()


def test_memory_that_ends_while_it_computes_fails_the_attempt_and_the_next_one_is_whole(
    deployment: ServiceDeployment, worker: Part, takes: Takes
) -> None:
    (computing,) = worker.computing()
    most = computing.memory_info().vms + LEFT_BYTES
    resource.prlimit(computing.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

    job_id = deployment.separate(takes.wav(20), "memory.wav", FAR)
    ended = deployment.wait_ended(job_id)
    first, *_, last = deployment.books.attempts(job_id)

    # Whether the runtime reports it or is ended by it, is the runtime's affair.
    assert first["outcome"] == "failed"
    assert first["error"]["code"] in {"computing_crashed", "network_failed"}
    if ended == ["complete"]:  # what computed was another process, which has no such limit
        assert last["outcome"] == "complete"
    else:
        assert last["error"]["code"] == "network_failed"
        assert not deployment.status(job_id)["stems"]
        computing.kill()
    deployment.assert_well()
    later = deployment.separate(takes.wav(), "later.wav", FAR)
    assert deployment.wait_ended(later) == ["complete"]
    deployment.assert_well()
