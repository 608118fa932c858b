"""What the Dockerfile says of the images that it makes."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"

_FROM = re.compile(r"FROM (\S+) AS (\S+)")
_PREFIX = "stemset-"


_READ: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "EXPOSE": lambda rest: {"port": int(rest)},
    "CMD": lambda rest: {"command": tuple(json.loads(rest))},
    "WORKDIR": lambda rest: {"workdir": rest},
    "USER": lambda rest: {"user": rest},
    "HEALTHCHECK": lambda rest: {"is_checked": rest != "NONE"},
}


@dataclass(frozen=True)
class Target:
    """A stage, with what it has from those below it.

    Attributes:
        port: What it listens on, None if it does not.
        command: What it starts ``stemset`` with.
        workdir: Where it is started.
        user: Whom it runs as.
        env: Its variables.
        is_checked: Whether it has a health check.
    """

    port: int | None = None
    command: tuple[str, ...] = ()
    workdir: str = "/"
    user: str = "root"
    env: Mapping[str, str] = field(default_factory=dict)
    is_checked: bool = False


def targets() -> dict[str, Target]:
    """Read all stages, by name."""
    stages: dict[str, Target] = {}
    name = ""
    for line in _instructions():
        word, _, rest = line.partition(" ")
        if started := _FROM.match(line):
            name = started[2]
            stages[name] = stages.get(started[1], Target())
        elif name:
            stages[name] = _with(stages[name], word, rest)
    return stages


def target_of(image: str) -> str:
    """Read the target out of an image's name: ``registry/stemset-api:latest`` is ``api``."""
    name = image.rpartition("/")[2].partition(":")[0]
    assert name.startswith(_PREFIX), image
    return name.removeprefix(_PREFIX)


def _with(target: Target, word: str, rest: str) -> Target:
    if word == "ENV":
        pairs = (pair.partition("=") for pair in rest.split())
        return replace(target, env={**target.env, **{key: value for key, _, value in pairs}})
    read = _READ.get(word)
    return replace(target, **read(rest)) if read else target


def _instructions() -> list[str]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line.lstrip()[:1] != "#"]
    return re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()
