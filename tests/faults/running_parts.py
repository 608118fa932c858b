"""Parts of a service as processes of their own: started, watched by their log, and ended hard."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

WAIT_S = 90.0
_POLL_S = 0.05
_COMPUTING = "stemset.pipeline"


class Part:
    """A `stemset serve`, `worker` or `consume`."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        log: Path,
        descriptors: int | None = None,
    ) -> None:
        """Start it in a folder; its log is written to a file.

        Args:
            arguments: Of ``stemset``.
            env: Its environment.
            folder: Its working folder.
            log: What it says is added to this file.
            descriptors: How many it may have, None for as many as this process.
        """
        limited = ("sh", "-c", f'ulimit -n {descriptors} && exec "$0" "$@"') if descriptors else ()
        self.log = log
        self._skipped_lines = len(log.read_bytes().splitlines()) if log.exists() else 0
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*limited, sys.executable, "-m", "stemset", *arguments],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Its log lines whose event begins so."""
        lines = []
        for text in self.log.read_bytes().splitlines()[self._skipped_lines :]:
            with suppress(ValueError):
                lines.append(json.loads(text))
        return [each for each in lines if each["event"].startswith(event)]

    def wait_line(self, event: str, times: int = 1) -> dict[str, Any]:
        """Wait until it has logged this, so many times; the last such line."""
        wait_for(lambda: len(self.lines(event)) >= times, f"{event!r} is logged", self.log)
        return self.lines(event)[times - 1]

    def begun(self, job_id: str) -> int:
        """How often it began to compute a job."""
        return len([line for line in self.lines("Processing with") if line["job_id"] == job_id])

    def tree(self) -> list[psutil.Process]:
        """Its processes, but not the database's: that may outlive it."""
        root = psutil.Process(self.process.pid)
        children = [each for each in root.children(recursive=True) if not _is_database(each)]
        return [root, *children]

    def computing(self) -> list[psutil.Process]:
        """Its computing process, which has been told what to do."""
        return [each for each in self.tree() if _COMPUTING in _command(each)]

    def signal(self, number: int) -> None:
        """Send a signal to every process of it."""
        for each in self.tree():
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill(self) -> None:
        """kill -9 of the process alone, then wait until nothing of it is left."""
        if not self.is_running:
            return
        tree = self.tree()
        self.process.kill()
        for each in tree:  # what is stopped cannot end by itself
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)
        self.process.wait()
        assert_gone(tree, 10)

    def terminate(self, within_s: float = WAIT_S) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def wait_crashed(self) -> None:
        """Wait until it has killed itself at its crash point."""
        assert self.process.wait(WAIT_S) == -signal.SIGKILL, self.log.read_text("utf-8")[-3000:]


def assert_gone(processes: Sequence[psutil.Process], within_s: float) -> None:
    """Fail unless processes end in time; what nobody has waited for yet has ended, too."""
    limit = time.monotonic() + within_s
    while alive := [each for each in processes if _lives(each)]:
        assert time.monotonic() < limit, f"after {within_s} s there is still {alive}"
        time.sleep(_POLL_S)


def wait_for(
    condition: Callable[[], object], what: str, log: Path | None = None, within_s: float = WAIT_S
) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + within_s
    while not condition():
        logged = log.read_text("utf-8")[-4000:] if log else ""
        assert time.monotonic() < limit, f"never: {what}\n{logged}"
        time.sleep(_POLL_S)


def clean_environment() -> dict[str, str]:
    """This process's environment, without what would configure Stemset."""
    ours = ("STEMSET_", "R2_", "GPU_WORKER_URL", "BACKEND_URL", "DATABASE_URL", "PORT")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) or name == "STEMSET_MODEL_DIR"
    }


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _command(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def _is_database(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return process.name().startswith(("postgres", "io worker"))
    return False
