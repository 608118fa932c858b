"""What a person is told who used the default model."""

from pathlib import Path

import pytest

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.cli.offer import offer
from stemset.separation.networks import libraries


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model cache."""
    monkeypatch.setenv("STEMSET_MODEL_DIR", str(tmp_path))
    return tmp_path


def ends(told: str | None) -> str:
    assert told is not None
    return told.rpartition(": ")[2]


def test_model_that_is_not_here_is_offered_with_what_it_takes():
    told = offer("spleeter-2stems")

    assert ends(told) == "stemset models install htdemucs"
    assert "84 MB, licence none stated" in str(told)


def test_model_that_is_here_is_offered_for_use(models: Path):
    install_stand_in(find("htdemucs"), models)

    assert ends(offer("spleeter-2stems")) == "stemset split -s htdemucs"


def test_libraries_that_are_missing_come_first(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(libraries, "find_spec", lambda _: None)  # as without the extra
    first = "pip install 'stemset[torch,openvino]', then"

    assert ends(offer("spleeter-2stems")) == f"{first} stemset models install htdemucs"
    install_stand_in(find("htdemucs"), models)
    assert ends(offer("spleeter-2stems")) == f"{first} stemset split -s htdemucs"


def test_nothing_is_offered_to_who_chose():
    assert offer("vocals-only") is None
    assert offer("htdemucs") is None
