"""What is told to the process that mixes: all that is known before any audio is read.

It loads no codec, so whoever only orders a mix stays small.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from stemset.audio._plan import Encoding, plan_encoding
from stemset.audio.formats import Depth, OutputFormat, RecordingFormat
from stemset.audio.mix import Mix, mixed_format


@dataclass(frozen=True, slots=True)
class FileChoice:
    """What file is made.

    Attributes:
        format: Its format.
        bitrate_kbps: Of a lossy format, in kbit/s; None for the format's default.
        depth: Of WAV and FLAC; None for the stems' own.
    """

    format: OutputFormat
    bitrate_kbps: int | None = None
    depth: Depth | None = None


def plan_mixdown(mix: Mix, stems: RecordingFormat, choice: FileChoice) -> Encoding:
    """Decide how a mix of stems of a format is written.

    Raises:
        InvalidMix: They cannot be mixed so.
        UnsupportedFormat: The file's format cannot hold the mix.
    """
    mixed = mixed_format(stems, mix)
    return plan_encoding(choice.format, choice.bitrate_kbps, mixed, choice.depth)


def work_order(
    mix: Mix,
    stems: dict[str, Path],
    target: Path,
    choice: FileChoice,
    *,
    tags: dict[str, str],
    max_duration_s: float,
) -> bytes:
    """The line that tells the process what to do; arguments as ``mix_down`` has them."""
    order = {
        "mix": mix.as_json(),
        "stems": {name: str(path) for name, path in stems.items()},
        "target": str(target),
        "choice": asdict(choice),
        "tags": tags,
        "max_duration_s": max_duration_s,
    }
    return json.dumps(order).encode() + b"\n"
