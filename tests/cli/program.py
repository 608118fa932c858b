"""The command line, run as its user runs it: a process, its output, its exit code."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

WITHIN_S = 600
"""The largest networks take minutes on two cores."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.out.splitlines()]
        return [line for line in lines if kind in (None, line["event"])]


class Stemset(Protocol):
    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None) -> Ended: ...

    def on_a_terminal(
        self, *arguments: object, typed: str = "", env: Mapping[str, str] | None = None
    ) -> Ended: ...

    def start(self, *arguments: object) -> "subprocess.Popen[bytes]": ...


@dataclass(frozen=True)
class Program:
    folder: Path

    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", "stemset", *(os.fspath(a) for a in arguments)],  # type: ignore[arg-type]
            cwd=self.folder,
            env={**_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
        return Ended(
            ended.returncode,
            ended.stdout.decode("utf-8", "replace"),
            ended.stderr.decode("utf-8", "replace"),
        )

    def on_a_terminal(
        self, *arguments: object, typed: str = "", env: Mapping[str, str] | None = None
    ) -> Ended:
        """Run it as a person at a terminal does; all that is shown comes as output."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "stemset", *(os.fspath(a) for a in arguments)],  # type: ignore[arg-type]
            cwd=self.folder,
            env={**_environment(), "COLUMNS": "200", **(env or {})},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        os.write(ours, typed.encode())
        shown = b""
        with suppress(OSError):  # what Linux says when the other end is closed
            while block := os.read(ours, 1 << 16):
                shown += block
        os.close(ours)
        return Ended(process.wait(timeout=WITHIN_S), shown.decode("utf-8", "replace"), "")

    def start(self, *arguments: object) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "stemset", *(os.fspath(a) for a in arguments)],  # type: ignore[arg-type]
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    ours = ("DATABASE_URL", "GPU_WORKER_URL", "STEMSET_CONFIG", "STEMSET_DATA_DIR")
    ours += ("STEMSET_MEDIA_DIR", "STEMSET_MAX_DURATION_S")
    return {name: value for name, value in os.environ.items() if name not in ours}


def write_take(path: Path, samples: NDArray[np.float32]) -> Path:
    """Write a 16-bit WAV at 44.1 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.rint(samples * 32767).astype(np.int16)
    with av.open(str(path), "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(whole.T).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate = 44_100
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
