"""Strategies of more stems on a worker, with weights of random values."""

from pathlib import Path

import numpy as np
import pytest
from deployment import CONFIG, Deployment, assert_split_once
from numpy.typing import NDArray
from program import write_take

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.catalogue.strategies import find_strategy
from stemset.pipeline.output import read_metadata
from stemset.storage.settings import StoreSettings

pytestmark = [pytest.mark.s3, pytest.mark.slow]

# Networks of the real sizes: `successive` takes 50 s on two cores that do nothing else.
WITHIN_S = 300.0


@pytest.mark.parametrize("strategy", ["hdemucs_mmi", "successive"])
def test_worker_separates_with_the_strategy_that_the_config_names(
    strategy: str, tmp_path: Path, bucket_settings: StoreSettings, song: NDArray[np.float32]
) -> None:
    models = tmp_path / "models"
    for model in find_strategy(strategy).models():
        install_stand_in(find(model), models)
    config = CONFIG.replace("source_folder", f"strategy: {strategy}\n    source_folder")
    deployment = Deployment(tmp_path, bucket_settings, config=config)
    take = write_take(deployment.recordings / "take.wav", song[:, : 3 * 44_100])
    try:
        worker = deployment.worker(STEMSET_MODEL_DIR=str(models))

        done = deployment.process(worker.url, within_s=WITHIN_S, STEMSET_MODEL_DIR=str(models))

        assert done.code == 0, done.err
        assert_split_once(deployment, take)
        (output,) = deployment.outputs()
        metadata = read_metadata(output)
        assert metadata is not None
        assert list(metadata["stems"]) == ["vocals", "drums", "bass", "other"]
        (line,) = worker.lines("Processing with strategy")
        assert line["event"] == f"Processing with strategy: {strategy}"
    finally:
        deployment.close()
