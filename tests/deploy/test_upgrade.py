"""A version whose schema is newer comes up beside the one before, with jobs under way."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deployment import free_port
from numpy.typing import NDArray
from running_parts import wait_for
from s3_server import S3Server
from service_deployment import FAR, HERE, ServiceDeployment, service
from short_takes import Takes

import stemset
from stemset.jobs.migrate import HEAD

pytestmark = [pytest.mark.slow, pytest.mark.s3]

NEXT = f"{int(HEAD) + 1:04}"
SCRIPT = f'''
"""A change such as an upgrade brings."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    """Make the change."""
    op.add_column("jobs", sa.Column("colour", sa.Text, server_default=sa.text("'red'")))
'''


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=11)


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    """A database, a bucket and a worker; no service yet."""
    del example
    s3_server.mend()
    with service(tmp_path / "service", database_conninfo, s3_server.new_bucket()) as made:
        made.worker()
        yield made


@pytest.fixture
def next_schema(tmp_path: Path) -> dict[str, str]:
    """The environment in which a version with one more script is what `stemset` is."""
    package = tmp_path / "next" / "stemset"
    shutil.copytree(
        Path(stemset.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    module = package / "jobs" / "migrate.py"
    text = module.read_text()
    assert text.count(f'\nHEAD = "{HEAD}"\n') == 1
    module.write_text(text.replace(f'\nHEAD = "{HEAD}"\n', f'\nHEAD = "{NEXT}"\n'))
    versions = package / "jobs" / "migrations" / "versions"
    (versions / f"v{NEXT}_colour.py").write_text(SCRIPT)
    return {"PYTHONPATH": str(package.parent)}


def test_version_before_goes_on_beside_the_next_one_until_it_is_stopped(
    deployment: ServiceDeployment, next_schema: dict[str, str], takes: Takes
):
    old, old_port = deployment.serve("--no-compute"), deployment.port
    old_consumer = deployment.consume()
    jobs = [
        deployment.separate(takes.wav(60), f"{profile}.wav", profile) for profile in (HERE, FAR)
    ]
    for job_id in jobs:
        deployment.wait_state(job_id, "processing", phase="separating")

    deployment.port = free_port()
    new = deployment.serve("--no-compute", **next_schema)
    jobs.append(deployment.separate(takes.wav(), "of the new.wav", HERE))
    deployment.port, new_port = old_port, deployment.port
    jobs.append(deployment.separate(takes.wav(), "of the old.wav", FAR))
    deployment.wait_ended(*jobs)
    assert old.terminate() == 0
    assert old_consumer.terminate() == 0
    deployment.port = new_port
    deployment.consume(**next_schema)
    jobs.append(deployment.separate(takes.wav(), "after.wav", HERE))

    deployment.assert_complete(*jobs)
    colours = deployment.books.rows("SELECT colour FROM jobs")
    assert [each["colour"] for each in colours] == ["red"] * len(jobs)
    assert new.terminate() == 0


def test_version_before_is_not_started_on_the_schema_of_the_next(
    deployment: ServiceDeployment, next_schema: dict[str, str]
):
    assert deployment.serve("--no-compute", **next_schema).terminate() == 0

    old = deployment.start("serve", "--port", str(free_port()), "--no-compute")

    wait_for(lambda: not old.is_running, "the old version refuses", old.log)
    assert "database_newer" in old.log.read_text()
    assert NEXT in old.log.read_text()
