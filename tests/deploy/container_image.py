"""An image as ``scripts/image`` builds and runs it, seen from outside."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

SCRIPT = Path(__file__).parents[2] / "scripts" / "image"
SECRET = "whsec_" + "b2YgdGhlIGltYWdlJ3MgdGVzdHMgYWxvbmUsIHJlYWxseQ=="
# Stands in pip's settings while the image is built, and nowhere in the image.
PIP_SETTING = "of-the-builder.invalid"

_BUILD_WITHIN_S = 900
_RUN_WITHIN_S = 60
_WAIT_S = 30.0

# Runs in the container and prints what it sees there.
_PROBE = """
import json, os, shutil, sys
written, traces, compiled = [], [], []
skipped = ("/proc", "/sys", "/dev")
for folder, folders, files in os.walk("/"):
    if folder.startswith(skipped):
        folders.clear()
        continue
    if os.access(folder, os.W_OK):
        written.append(folder)
    for name in files:
        path = os.path.join(folder, name)
        if name == "pip.conf":
            traces.append(path)
        if os.path.isfile(path) and os.path.getsize(path) < 1 << 20 and os.access(path, os.R_OK):
            with open(path, "rb") as file:
                if sys.argv[1].encode() in file.read():
                    traces.append(path)
print(json.dumps({
    "uid": os.getuid(),
    "gid": os.getgid(),
    "writable": written,
    "traces": traces,
    "builders": [name for name in ("gcc", "cc", "make", "pip", "uv", "curl") if shutil.which(name)],
    "models": os.listdir("/app/models") if os.path.exists("/app/models") else [],
    "packages": sorted(os.listdir(next(p for p in sys.path if p.endswith("site-packages")))),
}))
"""

Result = TypeVar("Result")


def script(*words: str, within_s: float = _RUN_WITHIN_S, **more: str) -> str:
    """Run ``scripts/image``; gives what it prints, fails with what it complains."""
    done = subprocess.run(
        [SCRIPT, *words],
        env=os.environ | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@dataclass(frozen=True)
class Image:
    """An image that was built.

    Attributes:
        name: Its name.
        report: What the build printed: its size by layer.
    """

    name: str
    report: str

    def stemset(self, *arguments: str) -> str:
        """Run ``stemset`` in it, as the image starts it."""
        return script("run", self.name, "--", *arguments)

    def python(self, program: str, *arguments: str, **environment: str) -> str:
        """Run a Python program in it."""
        named = [word for pair in environment.items() for word in ("-e", "=".join(pair))]
        return script(
            "run", self.name, *named, "--entrypoint", "python3", "--", "-c", program, *arguments
        )

    def facts(self) -> dict[str, Any]:
        """Look around in it: as whom it runs, what it may write to, what it holds."""
        return json.loads(self.python(_PROBE, PIP_SETTING))

    def health(self, port: int) -> str:
        """Run its health check in a container of its own; gives how it ended."""
        program = self.configuration()["Healthcheck"]["Test"]
        assert program[:4] == ["CMD", "python3", "-I", "-S"]
        return self.python(
            "import subprocess, sys; print(subprocess.run(sys.argv[1:], stderr=-3).returncode)",
            *program[1:],
            PORT=str(port),
        ).strip()

    def configuration(self) -> dict[str, Any]:
        """Give its configuration: user, ports, health check."""
        found, _ = json.JSONDecoder().raw_decode(self.inspection().lstrip())
        return found["config"] if isinstance(found, dict) else found[0]["Config"]

    def inspection(self) -> str:
        """Give all that is known of it, its history too."""
        return script("inspect", self.name)

    @contextmanager
    def running(
        self,
        folder: Path,
        environment: Mapping[str, str],
        mounted: Mapping[Path, str] | None = None,
    ) -> Iterator["Container"]:
        """Run it as it starts by itself; the log is in the folder.

        Args:
            folder: Where the log is written.
            environment: What is set in it, beside its port and the secret.
            mounted: Files of this machine, and where they are in it.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = {"PORT": str(port), "STEMSET_WORKER_SECRET": SECRET, **environment}
        words = [word for pair in given.items() for word in ("-e", "=".join(pair))]
        words += [
            word for pair in (mounted or {}).items() for word in ("-v", "{}:{}".format(*pair))
        ]
        written = folder / f"{self.name.rpartition('/')[2]}.log"
        started_s = time.monotonic()
        with (
            written.open("wb") as log,
            subprocess.Popen(
                [SCRIPT, "run", self.name, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            container = Container(process, port, started_s, written)
            try:
                yield container
            finally:
                container.end()


@dataclass(frozen=True)
class Container:
    """A container that runs.

    Attributes:
        process: ``scripts/image run``.
        port: Its port on loopback.
        started_s: When it was started, monotonic.
        log: What it prints.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    started_s: float
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> dict[str, Any]:
        """Wait until it takes calls; gives what it says of itself."""
        return self._eventually(self._readiness)

    def stop(self) -> int:
        """Tell it to stop, as a platform does; gives the container's exit status."""
        self.process.terminate()
        return self.process.wait(_WAIT_S)

    def end(self) -> None:
        """End it if it runs; nothing of it is left then."""
        if self.process.poll() is None:
            self.stop()
        assert not self._listens(), self.log.read_text()

    def _readiness(self) -> dict[str, Any] | None:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(httpx.TransportError):
            answer = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False)
            return answer.json() if answer.status_code == httpx.codes.OK else None
        return None

    def _listens(self) -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.port)) == 0

    def _eventually(self, look: Callable[[], Result | None]) -> Result:
        limit = time.monotonic() + _WAIT_S
        while not (seen := look()):
            assert time.monotonic() < limit, f"it did not happen in time: {self.log.read_text()}"
            time.sleep(0.01)
        return seen


def build(target: str, name: str, base: str) -> Image:
    """Build a target of the Dockerfile from this checkout."""
    words = ("build", target, "--tag", name, "--base", base)
    return Image(name, script(*words, within_s=_BUILD_WITHIN_S, PIP_TRUSTED_HOST=PIP_SETTING))
