"""The process that mixes for a service: ``python -m stemset.audio.mixdown_process``.

Enters, as one line of JSON on standard input: what ``mixdown_order`` writes.
Leaves, line by line on standard output: ``{"progress"}``, and last ``{"mixdown"}`` or
``{"error"}``. It ends as soon as nobody reads that any more; whoever wants it to stop kills it.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stemset.audio.decode import DecodeLimits
from stemset.audio.formats import Depth, OutputFormat
from stemset.audio.mix import mix_from_json
from stemset.audio.mixdown import mix_down
from stemset.audio.mixdown_order import FileChoice
from stemset.errors import StemsetError
from stemset.lifeline import end_with_reader

_TELL_EVERY_S = 0.25
_NICENESS = 5  # behind whoever answers calls


def main() -> int:
    """Do the work that standard input tells, and return the exit status."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    end_with_reader()
    os.nice(_NICENESS)
    told = _Teller()
    try:
        made = mix_down(
            mix_from_json(order["mix"]),
            {name: Path(path) for name, path in order["stems"].items()},
            Path(order["target"]),
            _choice(order["choice"]),
            tags=order["tags"],
            limits=DecodeLimits(max_duration_s=order["max_duration_s"]),
            on_progress=told.progress,
        )
    except StemsetError as error:
        _say({"error": {"code": error.code, "detail": str(error)}})
    else:
        _say({"mixdown": {**asdict(made), "path": str(made.path)}})
    return 0


def _choice(values: dict[str, Any]) -> FileChoice:
    depth = values["depth"]
    return FileChoice(
        OutputFormat(values["format"]), values["bitrate_kbps"], depth and Depth(depth)
    )


class _Teller:
    """Says how far it is, a few times a second."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def progress(self, fraction: float) -> None:
        """So much is done."""
        if (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + _TELL_EVERY_S
            _say({"progress": round(fraction, 4)})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
