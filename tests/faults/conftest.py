"""Fixtures of the fault tests: a deployment on loopback with the real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deployment import Deployment
from numpy.typing import NDArray
from program import write_take
from s3_server import S3Server
from service_deployment import ServiceDeployment, service

from stemset.storage.settings import StoreSettings


@pytest.fixture
def deployment(
    tmp_path: Path, bucket_settings: StoreSettings, example: Path
) -> Iterator[Deployment]:
    """A deployment without recordings; the default model is installed."""
    del example
    made = Deployment(tmp_path, bucket_settings)
    yield made
    made.close()


@pytest.fixture
def site(
    tmp_path: Path, database_conninfo: str, s3_server: S3Server, example: Path
) -> Iterator[ServiceDeployment]:
    """A database and a bucket; no service and no worker yet."""
    del example
    s3_server.mend()
    with service(tmp_path / "service", database_conninfo, s3_server.new_bucket()) as made:
        yield made
    s3_server.mend()


@pytest.fixture
def take(deployment: Deployment, song: NDArray[np.float32]) -> Path:
    """A recording of 22 s in the source folder: long enough to be caught at work."""
    return write_take(deployment.recordings / "take.wav", np.tile(song, (1, 2)))


@pytest.fixture
def second_take(deployment: Deployment, song: NDArray[np.float32]) -> Path:
    """Another one, of 11 s."""
    return write_take(deployment.recordings / "other.wav", song[:, ::-1])


@pytest.fixture
def long_take(deployment: Deployment, song: NDArray[np.float32]) -> Path:
    """A recording of two minutes: the worker is at it for longer than the idle period."""
    return write_take(deployment.recordings / "long.wav", np.tile(song, (1, 11)))
