"""Fixtures of the API's tests: the real service, open to the local user, or not."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ledger_database import LedgerDatabases
from service_client import RunningService, running_service


@pytest.fixture
def running(tmp_path: Path, database_conninfo: str) -> Iterator[RunningService]:
    """The service on loopback with no sign-in: whoever calls without a token is the local user."""
    with running_service(tmp_path, database_conninfo) as service:
        yield service


@pytest.fixture
def guarded(tmp_path: Path, database_conninfo: str) -> Iterator[RunningService]:
    """The service as other machines see it: every caller needs a token."""
    with running_service(tmp_path, database_conninfo, is_open=False) as service:
        yield service


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> Iterator[httpx.Client]:
    """A client of an open service with nothing in it, for tests that leave it so."""
    conninfo = ledger_databases.migrated()
    with running_service(tmp_path_factory.mktemp("shared"), conninfo) as service:
        yield service.client
    ledger_databases.drop(conninfo)
