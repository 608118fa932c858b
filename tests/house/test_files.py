"""What lies in the repository: sizes, names, and nothing of the machine it was written on."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_BYTES = 1_000_000
# Names that say nothing about what is inside.
BANNED_STEMS = {"utils", "helpers", "common", "core", "misc", "manager", "base", "models"}
# Music and weights are fetched on the user's machine.
BANNED_SUFFIXES = {
    ".aac", ".ckpt", ".flac", ".m4a", ".mp3", ".onnx", ".opus", ".pt", ".safetensors", ".wav",
}  # fmt: skip
# Which index serves a package, and where a file lies, is every machine's own setting.
HOST = re.compile(
    rb"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|debian\.org|ubuntu\.com/ubuntu"
)
MACHINE_PATH = re.compile(rb"(?<![\w.~}-])/(work|opt|root|home)/")

# The browser reads an expression again at each look, which the page's policy forbids from the
# second look on; a function is read once.
WAIT_FOR_AN_EXPRESSION = re.compile(r"wait_for_function\(\s*f?\"+(?![(\"]|\w+ =>)")


def repository_files() -> list[Path]:
    """List what is committed or could be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return repository_files()


def places(files: list[Path], pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
        for path in files
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if pattern.search(line)
    ]


def test_files_are_small(files: list[Path]):
    assert [path for path in files if path.stat().st_size > MAX_BYTES] == []


def test_names_say_what_is_inside(files: list[Path]):
    parts = {part for path in files for part in path.relative_to(ROOT).with_suffix("").parts}

    assert parts & BANNED_STEMS == set()


def test_files_are_no_music_and_no_weights(files: list[Path]):
    assert [path for path in files if path.suffix.lower() in BANNED_SUFFIXES] == []


def test_no_registry_is_named(files: list[Path]):
    assert places(files, HOST) == []


def test_no_path_of_a_machine_is_named(files: list[Path]):
    assert places(files, MACHINE_PATH) == []


def test_pages_are_waited_for_with_functions(files: list[Path]):
    tests = [path for path in files if path.suffix == ".py"]

    assert [path for path in tests if WAIT_FOR_AN_EXPRESSION.search(path.read_text("utf-8"))] == []
