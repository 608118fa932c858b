"""The schema: what the scripts make, when they run, and what is refused."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_database import LedgerDatabases
from procrastinate.schema import SchemaManager
from sqlalchemy import NullPool, create_engine

from stemset import __version__
from stemset.errors import DatabaseFailed, DatabaseNewer, DatabaseUnavailable
from stemset.jobs import migrate as migrate_module
from stemset.jobs import tables
from stemset.jobs.migrate import HEAD, SCRIPTS, migrate

# The newest copy of Procrastinate's schema. Scripts that change it later name theirs here.
QUEUE = SCRIPTS / "versions" / "v0001_procrastinate.sql"


@pytest.fixture
def empty_conninfo(ledger_databases: LedgerDatabases) -> Iterator[str]:
    conninfo = ledger_databases.empty()
    yield conninfo
    ledger_databases.drop(conninfo)


def names(conninfo: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return {name for (name,) in rows}


def run(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statement.encode())


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not str(name).startswith("procrastinate_")


def test_scripts_make_exactly_the_tables(empty_conninfo: str):
    migrate(empty_conninfo)

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(empty_conninfo), poolclass=NullPool
    )
    with engine.connect() as connection:
        options = {"compare_server_default": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []
    assert "procrastinate_jobs" in names(empty_conninfo)


def test_scripts_queue_is_the_installed_procrastinates():
    installed = SchemaManager.get_schema().encode()

    assert sha256(QUEUE.read_bytes()).hexdigest() == sha256(installed).hexdigest()


def test_head_is_the_newest_script():
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrate_again_keeps_what_is_there(database_conninfo: str):
    run(database_conninfo, "INSERT INTO secrets (name, value) VALUES ('kept', 'x')")

    migrate(database_conninfo)

    with psycopg.connect(database_conninfo) as connection:
        assert connection.execute("SELECT name FROM secrets").fetchall() == [("kept",)]


@pytest.mark.alone
def test_migrate_up_to_date_takes_no_time(database_conninfo: str):
    took = []
    for _ in range(10):
        begun = time.perf_counter()
        migrate(database_conninfo)
        took.append(time.perf_counter() - begun)

    assert min(took) < 0.02


def test_migrate_up_to_date_loads_no_alembic(database_conninfo: str):
    program = (
        "import sys; from stemset.jobs.migrate import migrate; migrate(sys.argv[1]);"
        "print('alembic' in sys.modules)"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, database_conninfo],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert (result.stdout, result.stderr) == ("False\n", "")


def test_migrate_many_at_once_all_succeed(empty_conninfo: str):
    together = Barrier(4, timeout=10)

    def one(_: int) -> None:
        together.wait()
        migrate(empty_conninfo)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(4)))

    with psycopg.connect(empty_conninfo) as connection:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert rows == [(HEAD,)]


def test_migrate_that_fails_leaves_nothing(empty_conninfo: str):
    run(empty_conninfo, "CREATE TABLE secrets (mine int)")

    with pytest.raises(DatabaseFailed, match='"secrets" already exists'):
        migrate(empty_conninfo)

    assert names(empty_conninfo) == {"secrets"}


def test_migrate_newer_database_is_refused_with_both_versions(database_conninfo: str):
    run(database_conninfo, "UPDATE alembic_version SET version_num = '9f31'")

    with pytest.raises(DatabaseNewer, match=f"revision 9f31, which Stemset {__version__} does not"):
        migrate(database_conninfo)


def test_migrate_while_another_is_at_it_for_too_long_is_given_up(
    empty_conninfo: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrate_module, "_WAIT_S", 0.1)
    with psycopg.connect(empty_conninfo) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (migrate_module._LOCK,))

        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            migrate(empty_conninfo)


def test_migrate_without_server_is_database_unavailable(tmp_path: Path):
    with pytest.raises(DatabaseUnavailable):
        migrate(f"host={tmp_path} dbname=stemset")
