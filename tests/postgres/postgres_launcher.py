"""Processes that start the embedded server, as this user or as another one."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stemset.errors import error_from
from stemset.postgres.cluster import Cluster

PROGRAM = Path(__file__).with_name("postgres_program.py")
WITHIN_S = 20.0
_ENOUGH_BYTES = 2**30


class Refused(Exception):
    """The server did not let somebody in."""


@dataclass(frozen=True, slots=True)
class User:
    """Who runs a program: ``None`` is the user of the tests.

    Attributes:
        name: Another user's name; only root can become one.
        drop: A capability that root gives up, for example ``sys_ptrace``.
    """

    name: str | None = None
    drop: str | None = None

    @property
    def uid(self) -> int:
        return pwd.getpwnam(self.name).pw_uid if self.name else os.getuid()

    def command(self, *program: str) -> list[str]:
        """A command that runs a program as this user."""
        if self.drop:
            return ["setpriv", f"--bounding-set=-{self.drop}", *program]
        if not self.name:
            return list(program)
        ids = (f"--reuid={self.name}", f"--regid={pwd.getpwnam(self.name).pw_gid}")
        return ["setpriv", *ids, "--clear-groups", *program]


class Launcher:
    """A process that has a ``Cluster``. It ends when it is killed, or with its context."""

    def __init__(self, home: "Home", variables: Mapping[str, str], limit_s: float) -> None:
        paths = filter(None, (variables.get("PYTHONPATH"), os.environ.get("PYTHONPATH")))
        arguments = (str(home.data), str(home.system), str(limit_s))
        self.process = subprocess.Popen(
            home.user.command(sys.executable, "-W", "error", str(PROGRAM), *arguments),
            env=os.environ | variables | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *words: str) -> Any:
        """Let it do something.

        Raises:
            StemsetError: What it raised.
            Refused: It was not let in.
        """
        self.send(*words)
        return self.answer()

    def answer(self) -> Any:
        """Wait for the answer to what was sent. Raises as ``call`` does."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.wait()
        answer = json.loads(line)
        if answer.get("code"):
            raise error_from(answer["code"], answer["detail"])
        if "detail" in answer:
            raise Refused(answer["detail"])
        return answer["result"]

    def send(self, *words: str) -> None:
        """Begin to let it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def execute(self, statement: str) -> list[Any]:
        """Execute a statement in the database that it started."""
        return self.call("execute", self.call("conninfo"), statement)

    def kill(self) -> None:
        """Kill it alone."""
        self.process.kill()
        self.wait()

    def kill_with_its_children(self) -> None:
        """Kill it and what it waits for, but not what became a session of its own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> str:
        """Wait for its end; returns what it said on standard error."""
        _, said = self.process.communicate(timeout=WITHIN_S)
        return said


class Home:
    """A data folder and a system folder of a test's own, and whose they are.

    Attributes:
        data: The data folder.
        system: The folder for what root keeps outside of data folders.
        user: Who launches.
    """

    def __init__(self, folder: Path, user: User, name: str = "data") -> None:
        self.data = folder / name
        self.system = folder / "system"
        self.user = user

    @contextmanager
    def launcher(self, limit_s: float = WITHIN_S, **variables: str) -> Iterator[Launcher]:
        """A process that can start the server; it is killed at last, the server is not."""
        launcher = Launcher(self, variables, limit_s)
        try:
            yield launcher
        finally:
            launcher.kill()

    def start(self) -> None:
        """Start the server, by a process that is killed right after if it must be another one."""
        if self.user == User():
            self.of_this_process().start()
            return
        with self.launcher() as launcher:
            launcher.call("start")

    def of_this_process(self, limit_s: float = WITHIN_S) -> Cluster:
        """The cluster, launched by the process of the tests."""
        assert self.user == User()
        return Cluster(self.data, system=self.system, limit_s=limit_s)

    @property
    def folder(self) -> Path:
        """What holds the cluster."""
        notes = self.data / "postgres"
        if self.user.uid:
            return notes
        name = notes / "place"
        return self.system / (name.read_text() if name.exists() else "none")

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "cluster"

    def parts(self) -> list[Path]:
        """Clusters in the making."""
        return list(self.folder.glob("cluster.part-*"))

    @property
    def note(self) -> Path:
        """The server's note of itself."""
        return self.cluster / "postmaster.pid"

    def write_pid(self, pid: int) -> None:
        """Let the note name another process, as if that had got the dead server's number."""
        _, newline, rest = self.note.read_text().partition("\n")
        self.note.write_text(f"{pid}{newline}{rest}")

    @property
    def server_user(self) -> User:
        """Who the server runs as."""
        return User(self.cluster.owner()) if self.cluster.stat().st_uid != os.getuid() else User()

    def postmaster(self) -> psutil.Process:
        """The server's main process, which runs."""
        return psutil.Process(int(self.note.read_text().split()[0]))

    def kill_postmaster(self) -> None:
        """Kill the server's main process alone; returns when it is dead, its children may live."""
        postmaster = self.postmaster()
        postmaster.kill()
        eventually(lambda: has_ended(postmaster))

    def end(self) -> None:
        """Kill every process of the server, if it runs."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        eventually(lambda: not self.processes())

    @property
    def noted_socket_folder(self) -> Path | None:
        """Where the socket lies if that is elsewhere."""
        note = self.data / "postgres" / "socket-folder"
        return Path(note.read_text()) if note.exists() else None

    def remove(self) -> None:
        """End the server, and remove all that it was."""
        self.end()
        if self.noted_socket_folder:
            shutil.rmtree(self.noted_socket_folder, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """All programs of PostgreSQL's that work in a folder of this home."""
        return [each for each in psutil.process_iter() if _works_in(each, self.data, self.system)]


MakeHome = Callable[..., Home]


def new_folder() -> Path:
    """Make a folder that other users can cross, unlike pytest's own: they run the server.

    It lies in memory if there is some: what is tested are crashes of processes, not of disks.
    """
    memory = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes it safely
    fast = memory.is_dir() and shutil.disk_usage(memory).free > _ENOUGH_BYTES
    folder = Path(tempfile.mkdtemp(prefix="stemset-test-", dir=memory if fast else None))
    folder.chmod(0o755)
    return folder.resolve()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for something."""
    limit = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.005)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has ended, though its parent may not have looked at it yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _works_in(process: psutil.Process, *folders: Path) -> bool:
    try:
        name = process.name()
        if name not in {"postgres", "initdb"}:
            return False
        places = [process.cwd()] if name == "postgres" else process.cmdline()
    except psutil.Error:
        return False
    return any(Path(each).is_relative_to(folder) for each in places for folder in folders)
