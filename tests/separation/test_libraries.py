"""Which libraries networks run on."""

from importlib.metadata import PackageNotFoundError, version

import pytest

from stemset.catalogue.entries import CATALOGUE, find
from stemset.separation.networks import libraries
from stemset.separation.networks.libraries import library_versions, missing_libraries


def test_nothing_is_missing_where_every_test_runs():
    assert [missing_libraries(entry) for entry in CATALOGUE.values()] == [()] * len(CATALOGUE)


def test_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "demucs" else name)

    assert missing_libraries(find("htdemucs")) == ("demucs",)
    assert missing_libraries(find("spleeter-2stems")) == ()


def test_versions_are_of_the_libraries_that_these_models_use():
    assert library_versions([find("spleeter-2stems")]) == {"onnxruntime": version("onnxruntime")}
    both = library_versions([find("htdemucs"), find("hdemucs_mmi"), find("spleeter-2stems")])
    assert set(both) == {"openvino", "torch", "demucs", "safetensors", "onnxruntime"}
    assert both["torch"] == version("torch")


def test_version_of_a_library_that_is_published_for_gpus_is_found(monkeypatch: pytest.MonkeyPatch):
    def published(name: str) -> str:
        if name != "onnxruntime-gpu":
            raise PackageNotFoundError(name)
        return "1.26.0"

    monkeypatch.setattr(libraries, "version", published)

    assert library_versions([find("spleeter-2stems")]) == {"onnxruntime": "1.26.0"}
    assert library_versions([find("htdemucs")]) == {}
