"""Secrets that the processes on one database share: made at random by whoever needs one first."""

from secrets import token_bytes

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables

_BYTES = 32
_COLUMNS = tables.secrets.c


async def get(connection: AsyncConnection, name: str) -> bytes:
    """A secret's 32 bytes: the same ones each time, in every process.

    Args:
        connection: The transaction; a secret that was made is another's only after its commit.
        name: What the secret is for.
    """
    query = select(_COLUMNS.value).where(_COLUMNS.name == name)
    value = (await connection.execute(query)).scalar_one_or_none()
    if value is None:
        row = insert(tables.secrets).values(name=name, value=token_bytes(_BYTES).hex())
        # Waits for another transaction that is making it.
        await connection.execute(row.on_conflict_do_nothing())
        value = (await connection.execute(query)).scalar_one()
    return bytes.fromhex(value)
