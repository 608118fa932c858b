"""How fast strategies are on this machine, as it was measured; kept beside the models."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from stemset.audio.files import writing
from stemset.catalogue.weights import model_cache

_FILE_NAME = "speeds.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Speed:
    """What a strategy costs on this machine.

    Attributes:
        strategy: Its name.
        audio_s: Length of the recording that was split.
        wall_s: Seconds of work for a second of audio, from its decoding to the stems on disk;
            without the start of the program.
        cpu_s: Seconds of one core for a second of audio.
        device: What the networks computed on, ``cpu`` or ``cuda``.
        day: When it was measured, ``2026-01-31``.
        precision: What the networks computed in; it was not noted while there was only one.
    """

    strategy: str
    audio_s: int
    wall_s: float
    cpu_s: float
    device: str
    day: str
    precision: str = "float32"

    @property
    def times_realtime(self) -> float:
        """Seconds of audio in a second of work."""
        return 1 / self.wall_s


def known_speeds(cache: Path | None = None) -> dict[str, Speed]:
    """What was measured on this machine, by strategy; nothing if a file is not to be read.

    Args:
        cache: The model cache, by default ``model_cache()``.
    """
    try:
        record = json.loads(_file(cache).read_text("utf-8"))
        if (record["schema_version"], record["machine"]) != (_SCHEMA_VERSION, _machine()):
            return {}
        measured = cast("Mapping[str, Mapping[str, Any]]", record["strategies"])
        return {name: Speed(**speed) for name, speed in measured.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember(speed: Speed, cache: Path | None = None) -> None:
    """Keep a measurement, in place of an earlier one.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: The cache cannot be written to.
    """
    file = _file(cache)
    strategies = {name: asdict(each) for name, each in known_speeds(cache).items()}
    strategies[speed.strategy] = asdict(speed)
    record = {"schema_version": _SCHEMA_VERSION, "machine": _machine(), "strategies": strategies}
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        part.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        part.rename(file)


def _file(cache: Path | None) -> Path:
    return (cache or model_cache()) / _FILE_NAME


def _machine() -> str:
    """A cache can lie on a disk that several machines share."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()}"
