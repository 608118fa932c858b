"""What the system says of a process, with ``/proc`` or with ``ps``."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_STATE_FIELD, _START_FIELD = 3, 22  # Source: proc_pid_stat(5)
_PROGRAM = "postgres"


def birth(pid: int) -> str | None:
    """When a process was born, as this system writes it; None if it does not live.

    A process that ended and waits to be reaped does not live. Two processes that had one pid after
    another differ in this.
    """
    if _has_proc():
        fields = _stat_fields(pid)
        if not fields or fields[_STATE_FIELD - 3] in "ZX":
            return None
        return fields[_START_FIELD - 3]
    state, _, started = _ps(pid, "stat=,lstart=").partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def serves(pid: int, cluster: Path) -> bool:
    """Whether a process is a PostgreSQL server that works in this cluster."""
    if not _has_proc():
        return f"/{_PROGRAM} -D {cluster} -c " in _ps(pid, "command=")
    process = _PROC / str(pid)
    try:
        if (process / "comm").read_text().strip() != _PROGRAM:
            return False
        with suppress(PermissionError):  # root may not see this of others in most containers
            return os.path.samestat((process / "cwd").stat(), cluster.stat())
        return [b"-D", os.fsencode(cluster)] == (process / "cmdline").read_bytes().split(b"\0")[1:3]
    except OSError:
        return False


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _stat_fields(pid: int) -> list[str]:
    """The fields after the name, which may hold anything."""
    try:
        return (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ps(pid: int, columns: str) -> str:
    result = subprocess.run(  # noqa: S603 -- a number and our own words
        ["/bin/ps", "-ww", "-o", columns, "-p", str(pid)],
        env={"LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip()
