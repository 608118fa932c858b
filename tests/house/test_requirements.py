"""The locks: complete, hashed, in step with what is asked for, and of no machine."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "web", "dev", "torch", "gpu")
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)(?: ; (?P<marker>.+?))? \\$", re.MULTILINE
)


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pinned(name: str) -> dict[str, str]:
    return {match["name"]: match["version"] for match in PIN.finditer(lock_text(name))}


def asked_for(*sources: str) -> list[Requirement]:
    lines = [line for source in sources for line in source_lines(source)]
    return [Requirement(line) for line in project()["dependencies"] + lines]


def source_lines(name: str) -> list[str]:
    text = (ROOT / "requirements" / f"{name}.in").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("lock", "sources"), [("run", ["build"]), ("dev", ["build", "web", "dev"])]
)
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


@pytest.mark.parametrize(
    ("lock", "holds", "other"), [("gpu", "onnxruntime-gpu", "run"), ("torch", "torch", "dev")]
)
def test_lock_agrees_with_another_in_what_both_hold(lock: str, holds: str, other: str):
    mine, others = pinned(lock), pinned(other)

    assert holds in mine
    assert {name: mine[name] for name in mine.keys() & others.keys()}.items() <= others.items()


def test_lock_torch_holds_what_the_extras_ask_for():
    extras = project()["optional-dependencies"]
    extra = [Requirement(line) for name in ("torch", "openvino") for line in extras[name]]
    versions = pinned("torch")

    assert {wanted.name for wanted in extra} == {
        Requirement(line).name for line in source_lines("torch")
    }
    assert [
        str(wanted)
        for wanted in extra
        if not wanted.specifier.contains(versions[canonicalize_name(wanted.name)])
    ] == []


def test_lock_torch_is_for_a_cpu():
    (torch,) = re.findall(r"^torch==(?:.*\\\n)+", lock_text("torch"), re.MULTILINE)
    known = re.findall(
        r"^# (--hash=sha256:\w{64}) \S+\.whl$",
        (ROOT / "requirements" / "torch.in").read_text(),
        re.MULTILINE,
    )

    assert known
    assert [build for build in known if build not in torch] == []
    assert [name for name in pinned("torch") if re.match("nvidia|cuda|triton", name)] == []


@pytest.mark.parametrize("part", ["run", "web"])
def test_lock_dev_holds_all_of(part: str):
    assert pinned(part).items() <= pinned("dev").items()


def test_lock_web_holds_the_node_that_wheels_are_built_with():
    (asked,) = re.findall(r'^_NODE = "(.+)"$', (ROOT / "hatch_build.py").read_text(), re.MULTILINE)
    wanted = Requirement(asked)

    assert wanted.specifier.contains(pinned("web")[wanted.name])


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("trace", ["://", "file:", "--index", "--find-links", "--extra", "\n/"])
def test_lock_names_no_place_to_fetch_from(lock: str, trace: str):
    assert trace not in lock_text(lock)
