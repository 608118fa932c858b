"""What Alembic runs its commands in: our connection, or for a developer ``DATABASE_URL``'s."""

import os
from contextlib import AbstractContextManager, nullcontext

import psycopg
from alembic import context
from sqlalchemy import Connection, NullPool, create_engine

from stemset.jobs import tables


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table of the database is one of ``tables``: the others are Procrastinate's."""
    return kind != "table" or name in tables.metadata.tables


def _connection() -> AbstractContextManager[Connection]:
    if given := context.config.attributes.get("connection"):
        return nullcontext(given)
    conninfo = os.environ["DATABASE_URL"]
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    return engine.connect()


with _connection() as connection:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        include_name=_is_ours,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
