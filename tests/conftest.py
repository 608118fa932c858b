"""Fixtures of the whole suite: the default model, real audio, real S3 and PostgreSQL servers."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from ledger_database import LedgerDatabases, running_databases
from numpy.typing import NDArray
from s3_server import S3Server, running_server

from stemset.catalogue.entries import find
from stemset.catalogue.installation import install
from stemset.catalogue.weights import example_song
from stemset.pipeline.networks import Networks
from stemset.storage.settings import StoreSettings

MODEL = "spleeter-2stems"

# A shell starts what runs in its background deaf to Ctrl-C, and every process of the tests would
# inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Marks of tests that wait for most of their time.
WAITS = {"slow", "browser"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that wait among those that compute, so that neither kind is left for the end."""
    paths = dict.fromkeys(item.path for item in items)
    waiting = {item.path for item in items if WAITS & {mark.name for mark in item.iter_markers()}}
    place: dict[Path, float] = {}
    for kind in (
        [path for path in paths if path in waiting],
        [path for path in paths if path not in waiting],
    ):
        place |= {path: (number + 0.5) / len(kind) for number, path in enumerate(kind)}
    items.sort(key=lambda item: place[item.path])


@pytest.fixture(scope="session")
def example() -> Path:
    """The default model's example song; installs the model into the user's cache if need be."""
    install(find(MODEL))
    song = example_song(find(MODEL))
    assert song is not None
    return song


@pytest.fixture(scope="session")
def song(example: Path) -> NDArray[np.float32]:
    """The example's samples, ``(2, frames)`` at 44.1 kHz, within ±1."""
    with av.open(str(example)) as file:
        blocks = [frame.to_ndarray() for frame in file.decode(audio=0)]
    samples = np.concatenate(blocks, axis=1)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


@pytest.fixture(scope="session")
def networks(example: Path) -> Networks:
    """Networks that stay loaded for the whole suite."""
    del example  # its model is what is needed
    return Networks()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The real S3 server, one for the whole suite; installs it if need be. For marker ``s3``."""
    if sys.platform != "linux":
        pytest.skip(f"the S3 server for tests does not run on {sys.platform}: no Ceph for it")
    with running_server(tmp_path_factory.mktemp("s3-server")) as server:
        yield server


@pytest.fixture
def bucket_settings(s3_server: S3Server) -> StoreSettings:
    """A bucket of the test's own on the real S3 server, which answers."""
    s3_server.mend()
    return s3_server.new_bucket()


@pytest.fixture(scope="session")
def ledger_databases() -> Iterator[LedgerDatabases]:
    """The real PostgreSQL server, one for the whole suite."""
    with running_databases() as databases:
        yield databases


@pytest.fixture
def database_conninfo(ledger_databases: LedgerDatabases) -> Iterator[str]:
    """A database of the test's own, with the newest schema and nothing in it."""
    conninfo = ledger_databases.migrated()
    yield conninfo
    ledger_databases.drop(conninfo)
