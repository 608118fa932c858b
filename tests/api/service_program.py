"""The service as its user runs it: ``stemset serve``, a process of its own.

::

    with served(tmp_path, {"DATABASE_URL": database_conninfo}) as url:
        httpx.get(f"{url}/readyz")
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

READY_WITHIN_S = 60
STOPS_WITHIN_S = 30
_SERVE = (sys.executable, "-m", "stemset", "serve", "--port", "0", "--data", "data")
_OTHERS = ("BACKEND_URL", "DATABASE_URL", "GPU_WORKER_URL", "R2_", "STEMSET_")
_OURS = "STEMSET_MODEL_DIR"


@contextmanager
def served(folder: Path, environ: Mapping[str, str], *arguments: str) -> Iterator[str]:
    """Run the service on a free port of loopback; gives its address.

    Args:
        folder: Where it works: ``config.yaml`` is looked up there, and its data lie there.
        environ: What its environment has beside what is none of Stemset's.
        arguments: More of its command.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == _OURS or not name.startswith(_OTHERS)
    }
    process = subprocess.Popen(
        [*_SERVE, *arguments],
        cwd=folder,
        env={**kept, **environ},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = _Log(process.stderr)
    try:
        log.wait_ready()
        yield log.url
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPS_WITHIN_S) == 0, log.text
    finally:
        process.kill()
        process.wait()
        log.join(STOPS_WITHIN_S)


class _Log(threading.Thread):
    """Reads the log, so that the service never waits for its reader."""

    def __init__(self, stream: IO[str] | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream = stream
        self._lines: list[str] = []
        self._is_over = threading.Event()
        self.url = ""
        self.start()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def wait_ready(self) -> None:
        assert self._is_over.wait(READY_WITHIN_S), f"it does not start:\n{self.text}"
        assert self.url, f"it ended:\n{self.text}"

    def run(self) -> None:
        with self._stream:
            for line in self._stream:
                self._lines.append(line)
                if "Service ready on" in line:
                    self.url = json.loads(line)["url"]
                    self._is_over.set()
        self._is_over.set()
