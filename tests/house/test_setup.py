"""`scripts/setup`: what it says and does before anything is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a folder that holds what `scripts/setup` reads."""
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def setup(clone: Path, part: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/setup", part],
        cwd=clone,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def python_that_is(version: tuple[int, int, int], folder: Path) -> Path:
    """Write a Python that believes in another version of itself."""
    stub = folder / "old-python"
    lie = f"import sys, platform; sys.version_info = {version}; "
    lie += f"platform.python_version = lambda: {'.'.join(map(str, version))!r}; "
    stub.write_text(f"""#!/bin/sh\nexec "{sys.executable}" -I -c "{lie}$3"\n""")
    stub.chmod(0o755)
    return stub


def test_setup_python_too_old_is_refused_with_version_and_limit(clone: Path, tmp_path: Path):
    old = python_that_is((3, 9, 2), tmp_path)

    result = setup(clone, PYTHON=str(old))

    assert result.returncode == 1
    assert f"needs Python 3.11 or later; found {old} (3.9.2)" in result.stderr
    assert not (clone / ".venv").exists()


def test_setup_no_python_is_refused_with_what_to_install(clone: Path):
    result = setup(clone, PYTHON="no-such-python")

    assert result.returncode == 1
    assert "needs Python 3.11 or later; found none" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr


def test_setup_failed_install_shows_the_end_of_the_log(clone: Path):
    make_install_fail(clone)

    result = setup(clone, PIP_NO_INDEX="1")

    assert result.returncode == 1
    assert "ERROR: " in result.stderr
    assert "The whole log: build/setup.log" in result.stderr


def test_setup_killed_in_the_middle_makes_venv_anew(clone: Path):
    make_install_fail(clone)
    half_made = clone / ".venv" / "half-made"
    half_made.parent.mkdir()
    half_made.touch()
    half_made.with_name(".unfinished").touch()

    result = setup(clone, PIP_NO_INDEX="1")

    assert "Making .venv" in result.stdout
    assert not half_made.exists()


def test_setup_torch_on_an_intel_mac_says_what_is_left_out(clone: Path):
    make_run_installed(clone, on=("Darwin", "x86_64"))

    result = setup(clone, "torch", PIP_NO_INDEX="1")

    assert result.returncode == 0, result.stderr
    assert "not made for Intel Macs" in result.stdout
    assert not (clone / ".venv" / ".installed-torch").exists()


def test_setup_torch_that_is_installed_does_nothing(clone: Path):
    make_run_installed(clone, on=("Linux", "x86_64"))
    stamp(clone, "torch")

    result = setup(clone, "torch", PIP_NO_INDEX="1")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def make_run_installed(clone: Path, on: tuple[str, str]) -> None:
    """Make a .venv that looks set up, whose Python believes to be on another machine."""
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "pip").write_text(f"#!{folder}/python\n")
    lie = f"import platform; platform.system = lambda: {on[0]!r}; "
    lie += f"platform.machine = lambda: {on[1]!r}; "
    (folder / "python").write_text(f"""#!/bin/sh\nexec "{sys.executable}" -I -c "{lie}$3"\n""")
    (folder / "python").chmod(0o755)
    stamp(clone, "run")


def stamp(clone: Path, part: str) -> None:
    lock, project = clone / "requirements" / f"{part}.txt", clone / "pyproject.toml"
    what = f"{clone}\n{lock.read_text()}{project.read_text()}"
    (clone / ".venv" / f".installed-{part}").write_text(what)


def make_install_fail(clone: Path) -> None:
    (clone / "requirements" / "run.txt").write_text(f"nothing==0 --hash=sha256:{'0' * 64}\n")
