"""Starting the server of a cluster, or finding that it runs: proven by connecting."""

import subprocess
import threading
import time
from urllib.parse import quote

import psycopg

from stemset.errors import DatabaseUnavailable, StemsetError
from stemset.postgres._account import own_account
from stemset.postgres._binaries import Binaries
from stemset.postgres._folders import write_file
from stemset.postgres._making import ENVIRONMENT
from stemset.postgres._place import Place
from stemset.postgres._postmaster import Postmaster, disown, find_postmaster
from stemset.postgres._server_log import last_words, start_failure, trim_logs
from stemset.postgres._settings import DATABASE, ROLE, access_map, access_rules, server_options
from stemset.postgres._socket import socket_folder
from stemset.telemetry import get_logger

_POLL_S = 0.01
_PAUSE_S = 0.1
_CONNECT_LIMIT_S = 2  # the least that libpq takes; a server that is well takes milliseconds
# Helpers of a killed server see that it died when they next look, and hold its memory until then.
_DYING = "pre-existing shared memory block"

_log = get_logger("postgres")


def conninfo_at(folder: str, *, database: str = DATABASE, role: str = ROLE) -> str:
    """The address of a database, as libpq and SQLAlchemy read it.

    Args:
        folder: The socket's folder.
        database: The database's name.
        role: Who connects.
    """
    return f"postgresql://{role}@/{database}?host={quote(folder, safe='')}&port=5432"


class Starting:
    """One start: it launches a server as often as need be, until one takes a connection."""

    def __init__(self, place: Place, binaries: Binaries, limit_s: float) -> None:
        """Prepare a start.

        Args:
            place: The cluster, which is made.
            binaries: PostgreSQL's programs.
            limit_s: How long to try, in seconds.
        """
        self._limit_s = limit_s
        self._place = place
        self._binaries = binaries
        self._child: subprocess.Popen[str] | None = None
        self._reason = "it does not start"

    def until_it_answers(self) -> Postmaster:
        """Start the server, or find it.

        Raises:
            DatabaseStartFailed: It ends as soon as it was started; its last words are the message.
            DatabaseUnavailable: It does not answer in time.
            NoSpace: The disk is full.
            OSError: What it needs cannot be written.
        """
        limit = time.monotonic() + self._limit_s
        while time.monotonic() < limit:
            server = find_postmaster(self._place)
            if server is None:
                self._launch_if_need_be()
            elif server.is_ready and self._answers(server):
                return server
            time.sleep(_POLL_S)
        raise DatabaseUnavailable(
            f"The database in {self._place.cluster} did not answer within {self._limit_s:.0f} s:"
            f" {self._reason}."
        )

    def _launch_if_need_be(self) -> None:
        """Launch a server, unless the last one is still about to write its note."""
        if self._child and self._child.poll() is None:
            return
        if self._child and (failure := self._permanent_failure()):
            raise failure
        self._child = _launch(self._place, self._binaries)

    def _permanent_failure(self) -> StemsetError | None:
        """Why the launched server ended; None if the next one may not."""
        words = last_words(self._place)
        failure = start_failure(f"The database in {self._place.cluster} does not start", words)
        if _DYING not in words:
            return failure
        self._reason = str(failure)
        time.sleep(_PAUSE_S)
        return None

    def _answers(self, server: Postmaster) -> bool:
        try:
            psycopg.connect(
                conninfo_at(server.socket_folder), connect_timeout=_CONNECT_LIMIT_S
            ).close()
        except psycopg.OperationalError as error:
            self._reason = f"process {server.pid} runs, but {str(error).strip()}"
            return False
        return True


def _launch(place: Place, binaries: Binaries) -> subprocess.Popen[str]:
    """Launch a server as a session of its own, which outlives this process."""
    folder = socket_folder(place)
    disown(place, folder)
    trim_logs(place)
    _write_access(place)
    options = server_options(place, str(folder))
    place.start_log.unlink(missing_ok=True)
    with place.start_log.open("xb") as said:
        child = subprocess.Popen(  # noqa: S603 -- a program of the wheel, arguments of ours
            [binaries.program("postgres"), "-D", str(place.cluster), *options],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            text=True,
            **place.account.process_options(),
        )
    # A dead child that nobody waits for keeps its number, and looks alive to PostgreSQL.
    threading.Thread(target=child.wait, name="stemset-postmaster", daemon=True).start()
    _log.info("Starting the embedded database", pid=child.pid, folder=str(place.cluster))
    return child


def _write_access(place: Place) -> None:
    """Say who may connect: the one user that this process runs as."""
    files = {"pg_hba.conf": access_rules(), "pg_ident.conf": access_map(own_account().name)}
    mode, gid = (0o640, place.account.gid) if place.account.is_another else (0o600, -1)
    for name, text in files.items():
        write_file(place.folder / name, text, mode=mode, gid=gid)
