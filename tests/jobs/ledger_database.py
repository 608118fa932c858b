"""Databases for tests: copies of one that was migrated once, on one real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from database_server import DatabaseServer
from psycopg.conninfo import conninfo_to_dict

from stemset.jobs.migrate import migrate


@dataclass(frozen=True)
class LedgerDatabases:
    """Databases on one server."""

    server: DatabaseServer
    template: str

    def empty(self) -> str:
        """A new database with nothing in it. Returns its address."""
        return self.server.new_database()

    def migrated(self) -> str:
        """A new database with the newest schema and nothing in it. Returns its address."""
        return self.server.new_database(self.template)

    def drop(self, conninfo: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.server.drop(conninfo)


@contextmanager
def running_databases() -> Iterator[LedgerDatabases]:
    """A server, for as long as it is wanted."""
    server = DatabaseServer()
    server.start()
    try:
        template = server.new_database()
        migrate(template)
        yield LedgerDatabases(server, str(conninfo_to_dict(template)["dbname"]))
    finally:
        server.stop()
