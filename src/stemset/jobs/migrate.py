"""The schema: made, or brought up to date, before anything else is done with a database."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, NullPool, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from stemset import __version__
from stemset.errors import DatabaseNewer, InvalidConfig
from stemset.jobs.database import translated

HEAD = "0004"
"""The newest script's revision, known without running Alembic."""

SCRIPTS = Path(__file__).with_name("migrations")

_SCRIPT_LOCATION = str(SCRIPTS).replace("%", "%%")

_LOCK = 0x57E4_5E70_0002
_CONNECT_WITHIN_S = 5
_WAIT_S = 120  # for another process that is at it


def migrate(conninfo: str) -> None:
    """Make the schema, or bring it up to date; do nothing if it is. Blocks.

    All is done in one transaction. Processes that call it at once wait for the first.

    Args:
        conninfo: libpq's connection string or URL.

    Raises:
        InvalidConfig: The connection string cannot be read.
        DatabaseNewer: A newer version of Stemset made the schema, or changed it.
        DatabaseUnavailable: The server is not there, or another process has been at it for too
            long.
        NoSpace: Its disk is full.
        DatabaseFailed: It refuses.
    """
    _check_readable(conninfo)
    try:
        with _connect(conninfo) as connection:
            found = _revisions(connection)
        if found != [HEAD]:
            _upgrade(conninfo)
    except (SQLAlchemyError, psycopg.Error) as error:
        raise translated(error) from error


def is_up_to_date(conninfo: str) -> bool:
    """Look whether the schema is there and of this version; nothing is changed. Blocks.

    Raises:
        As ``migrate``.
    """
    _check_readable(conninfo)
    try:
        with _connect(conninfo) as connection:
            found = _revisions(connection)
    except psycopg.Error as error:
        raise translated(error) from error
    if found != [HEAD]:
        _check_known(found, _known_revisions())
    return found == [HEAD]


def _check_readable(conninfo: str) -> None:
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:  # its message repeats what may be a part of the password
        raise InvalidConfig(
            "DATABASE_URL cannot be read: it must be postgresql://user:password@host/database, or"
            " key=value pairs as libpq takes them. Special characters of a user's name or password"
            " must be percent-encoded in a URL."
        ) from None


def _connect(conninfo: str) -> psycopg.Connection:
    return psycopg.connect(
        conninfo, connect_timeout=_CONNECT_WITHIN_S, application_name="stemset migrate"
    )


def _revisions(connection: psycopg.Connection) -> list[str]:
    """What the database says that it is at; nothing if there is no schema yet."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return []
    return [name for (name,) in connection.execute("SELECT version_num FROM alembic_version")]


def _upgrade(conninfo: str) -> None:
    """Run the scripts that are missing, in one transaction."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: _connect(conninfo), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_S}s'"))
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        # Another process may have been faster.
        found = _revisions(cast("psycopg.Connection", connection.connection.driver_connection))
        if found != [HEAD]:
            _run_scripts(connection, found)


def _run_scripts(connection: Connection, found: Sequence[str]) -> None:
    # Rarely needed, and slower to import than a start may be.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    _check_known(found, _known_revisions())
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _SCRIPT_LOCATION)
    command.upgrade(config, HEAD)


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return {script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()}


def _check_known(found: Sequence[str], known: set[str]) -> None:
    if unknown := sorted(set(found) - known):
        raise DatabaseNewer(
            f"The database's schema is at revision {', '.join(unknown)}, which Stemset"
            f" {__version__} does not know; the newest that it knows is {HEAD}. A newer version"
            " made it: use that version, or another database."
        )
