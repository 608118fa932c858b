"""How much a profile has stored: the bytes that its quota is about."""

from typing import cast

from sqlalchemy import BigInteger, func, select
from sqlalchemy import cast as as_type
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables
from stemset.jobs.outputs import WHOLE, stored_bytes
from stemset.jobs.uploads import UploadState

_outputs = tables.outputs.c
_recordings = tables.recordings.c
_uploads = tables.uploads.c


async def take_turn(connection: AsyncConnection, profile: str) -> None:
    """Let others who do this for a profile wait until the transaction ends.

    So of two uploads that begin at once the second one counts the first.
    """
    lock = func.hashtextextended(f"stemset quota {profile}", 0)
    await connection.execute(select(func.pg_advisory_xact_lock(lock)))


async def count_bytes(connection: AsyncConnection, profile: str) -> int:
    """Bytes of a profile's recordings and outputs, and of uploads in the making.

    Args:
        connection: Where to look.
        profile: The profile; a recording is that profile's under whose name it lies.

    Returns:
        The sum of what the ledger says; the store is not asked.
    """
    inputs = select(func.sum(_recordings.bytes)).where(
        _recordings.input_key.startswith(f"inputs/{profile}/", autoescape=True),
        _recordings.deleted_at.is_(None),
    )
    outputs = select(func.sum(stored_bytes())).where(
        _outputs.profile == profile, _outputs.state == WHOLE
    )
    coming = select(func.sum(_uploads.size_bytes)).where(
        _uploads.profile == profile, _uploads.state == UploadState.RECEIVING
    )
    parts = (each.scalar_subquery() for each in (inputs, outputs, coming))
    total = sum((func.coalesce(part, 0) for part in parts), start=as_type(0, BigInteger))
    return int(cast("int", (await connection.execute(select(total))).scalar_one()))
