"""The locks: complete, hashed, in step with what is asked for, and of no machine."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "dev", "gpu")
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)(?: ; (?P<marker>.+?))? \\$", re.MULTILINE
)


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pinned(name: str) -> dict[str, str]:
    return {match["name"]: match["version"] for match in PIN.finditer(lock_text(name))}


def asked_for(*sources: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        line
        for source in sources
        for line in (ROOT / "requirements" / f"{source}.in").read_text().splitlines()
        if not line.startswith("#")
    ]
    return [Requirement(line) for line in project["dependencies"] + lines]


@pytest.mark.parametrize(("lock", "sources"), [("run", ["build"]), ("dev", ["build", "dev"])])
def test_lock_holds_a_version_that_is_asked_for(lock: str, sources: list[str]):
    versions = pinned(lock)

    unmet = [
        str(wanted)
        for wanted in asked_for(*sources)
        if not wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), "0"))
    ]

    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_every_package_is_pinned_once_with_hashes(lock: str):
    entries = re.split(r"^(?=\S)", lock_text(lock), flags=re.MULTILINE)[1:]

    assert [
        entry for entry in entries if not PIN.match(entry) or "--hash=sha256:" not in entry
    ] == []
    assert len(entries) == len(pinned(lock))


def test_lock_gpu_agrees_with_run_in_what_both_hold():
    run, gpu = pinned("run"), pinned("gpu")

    assert "onnxruntime-gpu" in gpu
    assert {name: gpu[name] for name in gpu.keys() & run.keys()}.items() <= run.items()


def test_lock_dev_holds_all_of_run():
    assert pinned("run").items() <= pinned("dev").items()


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("trace", ["://", "file:", "--index", "--find-links", "--extra", "\n/"])
def test_lock_names_no_place_to_fetch_from(lock: str, trace: str):
    assert trace not in lock_text(lock)
