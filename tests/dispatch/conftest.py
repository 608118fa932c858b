"""Fixtures of dispatch: a bucket that is a folder, recordings, and a worker with a script."""

from pathlib import Path

import pytest
from scripted_worker import ScriptedWorker, Take

from stemset.dispatch.connection import Connection
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Writes recordings: bytes that nobody decodes, others for each seed."""

    def write(name: str = "take.wav", seed: int = 0, folder: str = "recordings") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"RIFF {seed}".encode() * 1000)
        return path

    return write


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """The folder that is the bucket."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def store(bucket: Path) -> Store:
    """The bucket."""
    return open_store(StoreSettings("folder", bucket=str(bucket)))


@pytest.fixture
def worker(store: Store) -> ScriptedWorker:
    """A worker that does what its script says."""
    return ScriptedWorker(store)


@pytest.fixture
def connection(store: Store, worker: ScriptedWorker) -> Connection:
    """The bucket and the worker."""
    return Connection(store, worker, pauses_s=(0.01, 0.02))
