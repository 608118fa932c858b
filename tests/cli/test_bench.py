"""``stemset bench`` and what ``models list`` tells of it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from program import Stemset

from stemset.catalogue.weights import model_cache


@pytest.fixture
def cache(tmp_path: Path, example: Path) -> Mapping[str, str]:
    """A model cache of the test's own that holds the default model."""
    del example
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "spleeter-2stems").symlink_to(model_cache() / "spleeter-2stems")
    return {"STEMSET_MODEL_DIR": str(folder)}


def test_bench_measures_what_is_installed_and_the_list_of_models_tells_it(
    stemset: Stemset, cache: Mapping[str, str]
):
    before = stemset("models", "list", env=cache).out
    assert "speed: not measured on this machine; stemset bench spleeter-2stems" in before

    ended = stemset("bench", "--json", env=cache)

    assert ended.code == 0, ended.err
    measured = json.loads(ended.out)["strategies"]
    assert [each["strategy"] for each in measured] == [
        "spleeter-2stems", "vocals-only", "minus-vocals",
    ]  # fmt: skip
    speed = measured[0]
    assert f"speed: {1 / speed['wall_s']:.3g} × realtime on this machine (cpu, measured" in (
        stemset("models", "list", env=cache).out
    )
    listed = json.loads(stemset("models", "list", "--json", env=cache).out)["models"]
    assert listed[0]["speed"] == speed
    assert listed[1]["speed"] is None


def test_bench_says_what_an_hour_costs(stemset: Stemset, cache: Mapping[str, str]):
    ended = stemset("bench", "vocals-only", env=cache)

    assert ended.code == 0, ended.err
    told, hour = ended.out.splitlines()
    assert "vocals-only" in told
    assert "× realtime on cpu" in told
    assert "an hour of recording takes about" in hour


def test_bench_of_a_configured_strategy_is_told_and_not_kept(
    stemset: Stemset, cache: Mapping[str, str], tmp_path: Path
):
    (tmp_path / "config.yaml").write_text(
        "strategies:\n  spleeter-2stems: {_: spleeter-2stems, vocals: voice}\n"
    )

    ended = stemset("bench", "spleeter-2stems", "--json", env=cache)

    assert ended.code == 0, ended.err
    assert [each["strategy"] for each in json.loads(ended.out)["strategies"]] == ["spleeter-2stems"]
    assert not (tmp_path / "models" / "speeds.json").exists()


@pytest.mark.parametrize("names", [(), ("htdemucs",)])
def test_bench_of_what_is_not_installed_names_the_command(
    stemset: Stemset, tmp_path: Path, names: tuple[str, ...]
):
    ended = stemset("bench", *names, env={"STEMSET_MODEL_DIR": str(tmp_path / "none")})

    assert ended.code == 4
    assert f"stemset models install {names[0] if names else 'spleeter-2stems'}" in ended.err


def test_bench_of_an_unknown_strategy_lists_the_known(stemset: Stemset):
    ended = stemset("bench", "no-such")

    assert ended.code != 0
    assert "Known strategies: spleeter-2stems" in ended.err
