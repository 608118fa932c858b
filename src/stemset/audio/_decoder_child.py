"""The decoder process, seen from its parent: start it on an open file, read from it, end it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from io import BufferedReader
from typing import cast

from stemset.audio._decoder_wire import MAX_LINE_BYTES, DecodeLimits
from stemset.audio._input_file import printable
from stemset.errors import DecoderFailed

_PROGRAM = "stemset.audio.decoder_process"
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # a Python that needs them must start
_END_TIMEOUT_S = 1.0


class DecoderChild:
    """The decoder process, from outside."""

    def __init__(
        self, descriptor: int, limits: DecodeLimits, here: Sequence[tuple[int, int]] | None = None
    ) -> None:
        """Start it on an open file.

        Args:
            descriptor: The file.
            limits: What it may cost.
            here: What of the file is here, None for all.

        Raises:
            DecoderFailed: if it cannot be started.
        """
        self._limits = limits
        self._closed = False
        told = [json.dumps(asdict(limits)), *([] if here is None else [json.dumps(here)])]
        try:
            # Its working directory is empty, and removed as soon as the process stands in it.
            with tempfile.TemporaryDirectory(prefix="stemset-decoder-") as folder:
                self._process = subprocess.Popen(  # noqa: S603  our own program, without a shell
                    [sys.executable, "-I", "-m", _PROGRAM, *told],
                    stdin=descriptor,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                    process_group=0,  # Ctrl-C is the parent's to handle
                )
        except OSError as error:
            raise DecoderFailed(f"The decoder process cannot be started: {error}.") from error
        self._output = cast("BufferedReader", self._process.stdout)
        self._complaints = cast("BufferedReader", self._process.stderr)

    def read_line(self) -> bytes:
        """Return the next line; nothing at the end."""
        with suppress(ValueError):  # another thread closed it
            return self._output.readline(MAX_LINE_BYTES)
        return b""

    def fill(self, view: memoryview) -> bool:
        """Read as many bytes as ``view`` has, and return whether there were so many."""
        with suppress(ValueError):  # another thread closed it
            return self._output.readinto(view) == len(view)
        return False

    def fate(self) -> str:
        """Say how the process ended."""
        if self._closed:
            return "was closed before the end"
        status = self._wait()
        if status == -signal.SIGXCPU:
            return f"used up the allowed {self._limits.max_cpu_s:,} CPU-seconds"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        last_words = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"ended with status {status}: {printable(''.join(last_words))}"

    @property
    def has_crashed(self) -> bool:
        """Whether it has ended by a signal that is none of its limits, and not by ``close``."""
        return not self._closed and self._wait() < 0 and self._wait() != -signal.SIGXCPU

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        self._process.kill()
        self._wait()
        self._output.close()
        self._complaints.close()

    def _wait(self) -> int:
        """Return the exit status of a process that has ended, or must."""
        try:
            return self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return -signal.SIGKILL
