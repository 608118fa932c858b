"""The server that tests of other rooms use."""

from collections.abc import Iterator

import psycopg
import pytest
from database_server import DatabaseServer
from psycopg.conninfo import conninfo_to_dict


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    server = DatabaseServer()
    server.start()
    yield server
    server.stop()


def test_database_that_is_new_is_empty_and_its_own(server: DatabaseServer):
    first, second = server.new_database(), server.new_database()
    execute(first, "CREATE TABLE here AS SELECT 1")

    assert tables(first) == 1
    assert tables(second) == 0


def test_database_from_a_template_holds_what_that_holds(server: DatabaseServer):
    template = server.new_database()
    execute(template, "CREATE TABLE here AS SELECT 1")

    name = conninfo_to_dict(template)["dbname"]

    assert tables(server.new_database(str(name))) == 1


def test_server_that_was_killed_keeps_its_databases(server: DatabaseServer):
    address = server.new_database()
    execute(address, "CREATE TABLE here AS SELECT 1")

    server.kill()
    with pytest.raises(psycopg.OperationalError):
        tables(address)
    server.start()

    assert tables(address) == 1


def test_server_that_is_frozen_answers_when_it_is_thawed(server: DatabaseServer):
    address = server.new_database()

    server.freeze()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(address, connect_timeout=2)
    server.thaw()

    assert tables(address) == 0


def test_database_that_is_dropped_is_gone_whoever_uses_it(server: DatabaseServer):
    address = server.new_database()
    with psycopg.connect(address):
        server.drop(address)

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        tables(address)


def test_server_that_is_stopped_leaves_nothing():
    server = DatabaseServer()
    server.start()
    processes = server.processes()

    server.stop()

    assert processes != []
    assert not server.is_running
    assert not server.data.parent.exists()


def execute(address: str, statement: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(statement.encode())


def tables(address: str) -> int:
    with psycopg.connect(address, connect_timeout=5) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert found is not None
    return found[0]
