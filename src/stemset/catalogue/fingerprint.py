"""The fingerprint: everything that decides about an output's samples, other than the recording."""

import hashlib
import json
from dataclasses import dataclass

from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.entries import find
from stemset.catalogue.strategies import Node

ENGINE_VERSION = 1
"""Raised whenever the same input and strategy give other samples than before."""


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """The file format that a person chose.

    Attributes:
        format: Format of the stems.
        bitrate_kbps: Bit rate of lossy formats, None for the format's default.
        depth: Depth of the samples, None for the recording's own.
    """

    format: OutputFormat
    bitrate_kbps: int | None = None
    depth: Depth | None = None

    def as_json(self) -> dict[str, object]:
        """The choice as it stands in a fingerprint."""
        return {"format": self.format, "bitrate": self.bitrate_kbps, "depth": self.depth}


def fingerprint(strategy: Node, choice: OutputChoice, *, original_manner: bool = False) -> str:
    """Name everything that decides about an output's samples, other than the recording."""
    facts: dict[str, object] = {
        "engine": ENGINE_VERSION,
        "strategy": strategy.tree(),
        "weights": {name: find(name).source.sha256 for name in strategy.models()},
        "output": choice.as_json(),
    }
    if original_manner:
        facts["manner"] = "original"
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
