"""The strategies of more stems through the program, with weights of random values."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from program import Stemset, write_take

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find

pytestmark = pytest.mark.slow
STRATEGIES = {
    "hdemucs_mmi": ["hdemucs_mmi"],
    "htdemucs_ft": ["htdemucs_ft"],
    "vocals-then-ft": ["melband_roformer_kim", "htdemucs_ft"],
    "successive": ["melband_roformer_kim", "kuielab_b_drums", "kuielab_a_bass"],
}
RUNTIMES = {
    "hdemucs_mmi": {"torch"},
    "htdemucs_ft": {"openvino"},
    "vocals-then-ft": {"openvino"},
    "successive": {"openvino", "onnxruntime"},
}
FOUR = {"vocals", "drums", "bass", "other"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("models")
    for name in {model for used in STRATEGIES.values() for model in used}:
        install_stand_in(find(name), cache)
    return cache


def test_config_with_the_strategies_makes_stems_that_add_up(
    stemset: Stemset, models: Path, tmp_path: Path, song: NDArray[np.float32]
) -> None:
    (tmp_path / "takes").mkdir()
    write_take(tmp_path / "takes" / "take.wav", song[:, : 3 * 44_100])
    (tmp_path / "config.yaml").write_text(
        "profiles:\n"
        + "".join(
            f"- {{name: {name}, source_folder: takes, strategy: {name}, output: {{format: wav}}}}\n"
            for name in STRATEGIES
        )
    )
    for name, used in STRATEGIES.items():
        ended = stemset("process", name, env={"STEMSET_MODEL_DIR": str(models)})

        assert ended.code == 0, ended.err
        (output,) = (tmp_path / "media" / name).glob("take_*")
        metadata = json.loads((output / "metadata.json").read_text("utf-8"))
        assert set(metadata["stems"]) == FOUR
        assert metadata["sum_to_mix"]["closing_stem"] == "other"
        assert [model["name"] for model in metadata["models"]] == used
        runtimes = {"torch", "openvino", "onnxruntime"} & set(metadata["versions"])
        assert runtimes == RUNTIMES[name]
        verified = stemset("verify", str(output), "takes/take.wav")
        assert verified.code == 0, verified.err


def test_model_that_is_not_installed_names_the_command(
    stemset: Stemset, tmp_path: Path, song: NDArray[np.float32]
) -> None:
    write_take(tmp_path / "take.wav", song[:, :44_100])

    ended = stemset(
        "split", "take.wav", "--strategy", "htdemucs",
        env={"STEMSET_MODEL_DIR": str(tmp_path / "none")},
    )  # fmt: skip

    assert "stemset models install htdemucs" in ended.err
