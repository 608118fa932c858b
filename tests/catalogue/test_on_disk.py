import hashlib
from pathlib import Path

import pytest

from stemset.catalogue._on_disk import find
from stemset.catalogue.entry import PublishedFile

CONTENT = b"weights" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = PublishedFile(
    "https://hub.invalid/Someone/models/resolve/0123456/net.safetensors", SHA256, len(CONTENT)
)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_file_that_is_nowhere_is_not_found() -> None:
    assert find(FILE, []) is None


@pytest.mark.parametrize(
    "place",
    [
        "given/net.safetensors",
        "torch/hub/checkpoints/net.safetensors",
        "huggingface/hub/models--Someone--models/snapshots/0123456/net.safetensors",
    ],
)
def test_file_is_found_where_people_and_tools_keep_it(caches: Path, place: str) -> None:
    path = put(caches / place)

    assert find(FILE, [caches / "given"]) == (path, SHA256)


def test_caches_are_where_their_variables_say(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(caches / "elsewhere"))
    path = put(caches / "elsewhere/hub/checkpoints/net.safetensors")

    assert find(FILE, []) == (path, SHA256)


@pytest.mark.parametrize("content", [b"other" * 140, CONTENT[:-1], b""])
def test_other_content_of_that_name_is_passed_by(caches: Path, content: bytes) -> None:
    put(caches / "wrong/net.safetensors", content)
    right = put(caches / "right/net.safetensors")

    assert find(FILE, [caches / "wrong", caches / "right"]) == (right, SHA256)


def test_file_is_known_by_the_first_digits_of_its_hash(caches: Path) -> None:
    original = PublishedFile("https://cdn.invalid/demucs/75fc33f5.th", SHA256[:8])
    path = put(caches / "torch/hub/checkpoints/75fc33f5.th")

    assert find(original, []) == (path, SHA256)
