"""Fixtures of remote work: a bucket that is a folder, and a worker in this process."""

from pathlib import Path

import numpy as np
import pytest
from corpus import wav
from remote_run import Remote, Take
from stand_in import StandIn

from stemset.audio.decode import DecodeLimits
from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import find_strategy
from stemset.cli.batch import Batch
from stemset.cli.remote.connection import RemoteConnection
from stemset.pipeline.networks import Networks
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Writes recordings: noise at 48 kHz, another for each seed."""

    def write(
        name: str = "take.wav",
        seed: int = 0,
        folder: str = "recordings",
        duration_s: float = 0.5,
    ) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).normal(0, 3000, (2, round(48_000 * duration_s)))
        wav(path, np.rint(noise).astype(np.int64))
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
def remote(
    store: Store,
    bucket: Path,
    networks: Networks,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Remote:
    """Remote work of a profile named ``far`` that makes FLAC."""
    scratch, media = tmp_path / "scratch", tmp_path / "media" / "far"
    scratch.mkdir()
    woken: list[str] = []

    async def wake() -> None:
        woken.append("woken")

    worker = StandIn(store, networks, scratch)
    connection = RemoteConnection(
        store,
        worker,
        wake=wake,
        worker_url="https://worker.example",
        bucket=StoreSettings("folder", bucket=str(bucket)),
        pauses_s=(0.01, 0.01),
    )
    batch = Batch(
        root=media,
        strategy_name="spleeter-2stems",
        strategy=find_strategy("spleeter-2stems"),
        choice=OutputChoice(OutputFormat.FLAC),
        limits=DecodeLimits(),
        profile="far",
        replaces=True,
        networks=networks,
    )
    return Remote(batch, connection, worker, bucket, media, woken, capsys)
