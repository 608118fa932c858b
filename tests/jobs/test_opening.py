"""A database for a moment: a running service's, one that outlived its service, one of our own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import psycopg
import pytest
from embedded_data import embedded_data
from ledger_database import LedgerDatabases
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import (
    DatabaseNewer,
    DatabaseUnavailable,
    DataFolderInUse,
    InvalidConfig,
    OutputUnwritable,
    TokenNotFound,
)
from stemset.jobs import opening, tables, tokens
from stemset.jobs.caller import Scope
from stemset.jobs.migrate import migrate
from stemset.jobs.opening import in_transaction, open_conninfo
from stemset.postgres.cluster import Cluster, hold, running


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    with embedded_data(tmp_path / "data") as folder:
        yield folder


async def make(connection: AsyncConnection) -> None:
    await tokens.create(connection, "ci", Scope.READ, None, None)


async def count(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(tables.tokens)
    return (await connection.execute(query)).scalar_one()


def test_opening_of_an_empty_folder_makes_the_database_and_stops_it(data: Path):
    in_transaction(data, None, make)

    assert running(data) is None
    assert in_transaction(data, None, count) == 1


def test_opening_owns_the_folder_meanwhile(data: Path):
    with open_conninfo(data, None), pytest.raises(DataFolderInUse), hold(data, "a service"):
        pass

    with hold(data, "a service"):
        pass


def test_opening_beside_a_running_service_uses_its_server_and_leaves_it(data: Path):
    with hold(data, "a service"):
        cluster = Cluster(data)
        cluster.start()
        migrate(cluster.conninfo)

        in_transaction(data, None, make)

        with psycopg.connect(cluster.conninfo) as connection:
            assert connection.execute("SELECT count(*) FROM tokens").fetchone() == (1,)


def test_opening_while_a_service_starts_waits_for_it(data: Path):
    with hold(data, "a service"):
        cluster = Cluster(data)
        starting = threading.Timer(0.3, cluster.start)
        starting.start()

        in_transaction(data, None, make)

        starting.join(30)
        assert cluster.is_alive()


def test_opening_of_a_folder_in_use_with_no_server_is_refused_with_the_owner(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(opening, "_WAIT_S", 0.2)

    with (
        hold(data, "stemset serve on port 8080"),
        pytest.raises(DataFolderInUse, match="stemset serve on port 8080"),
    ):
        in_transaction(data, None, make)


def test_opening_where_a_server_outlived_its_service_leaves_it_as_it_was(data: Path):
    cluster = Cluster(data)
    cluster.start()

    in_transaction(data, None, make)

    assert running(data) == cluster.conninfo


def test_opening_by_another_command_waits_until_the_first_has_stopped_its_server(data: Path):
    with ThreadPoolExecutor(1) as thread:
        with open_conninfo(data, None):
            second = thread.submit(in_transaction, data, None, make)
            done, _ = wait([second], timeout=1)
            assert not done

        second.result(30)

    assert in_transaction(data, None, count) == 1
    assert running(data) is None


def test_opening_for_work_that_fails_stops_the_server_and_keeps_nothing(data: Path):
    async def work(connection: AsyncConnection) -> None:
        await make(connection)
        await tokens.revoke(connection, "nobody")

    with pytest.raises(TokenNotFound):
        in_transaction(data, None, work)

    assert running(data) is None
    assert in_transaction(data, None, count) == 0


def test_opening_of_a_url_touches_no_data_folder(database_conninfo: str, tmp_path: Path):
    in_transaction(tmp_path / "data", database_conninfo, make)

    assert in_transaction(tmp_path / "data", database_conninfo, count) == 1
    assert not (tmp_path / "data").exists()


def test_opening_of_an_empty_database_brings_it_up_to_date(
    ledger_databases: LedgerDatabases, tmp_path: Path
):
    conninfo = ledger_databases.empty()

    in_transaction(tmp_path, conninfo, make)

    assert in_transaction(tmp_path, conninfo, count) == 1
    ledger_databases.drop(conninfo)


def test_opening_of_a_newer_database_is_refused(database_conninfo: str, tmp_path: Path):
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9f31'")

    with pytest.raises(DatabaseNewer):
        in_transaction(tmp_path, database_conninfo, make)


def test_opening_of_a_url_that_answers_not_is_unavailable(tmp_path: Path):
    with pytest.raises(DatabaseUnavailable):
        in_transaction(tmp_path, f"postgresql://stemset@/stemset?host={tmp_path}", make)


@pytest.mark.parametrize("url", ["postgresql://band:s3cret%zz@db/stemset", "pass=s3cret"])
def test_opening_of_a_url_that_libpq_cannot_read_is_refused_without_its_password(
    tmp_path: Path, url: str
):
    with pytest.raises(InvalidConfig, match="DATABASE_URL cannot be read") as caught:
        in_transaction(tmp_path, url, make)

    assert "s3cret" not in str(caught.value)


def test_opening_of_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputUnwritable):
        in_transaction(tmp_path / "file" / "data", None, make)
