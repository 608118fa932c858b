"""What changed since a number, for who was away; events are kept for some days only."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables
from stemset.jobs.events import Event, Kind

_EACH = tables.events.c


async def changed_since(
    connection: AsyncConnection, after: int, limit: int
) -> Sequence[Event] | None:
    """The newest event of each subject that changed after a number, the oldest of these first.

    Args:
        connection: A transaction.
        after: The number.
        limit: At most so many events; the next ones come after the last one's number.

    Returns:
        The events; None if it cannot be told, since some are forgotten, or since the number is not
        of this database (it was set back to an older state, or is another one).
    """
    newest = func.max(_EACH.id).label("id")
    query = select(newest, _EACH.kind, _EACH.subject).where(_EACH.id > after)
    query = query.group_by(_EACH.kind, _EACH.subject).order_by(newest).limit(limit)
    rows = (await connection.execute(query)).all()
    # Looked at last: what is forgotten between the two is missed by neither.
    if not await _is_kept_since(connection, after):
        return None
    return [Event(row.id, Kind(row.kind), row.subject) for row in rows]


async def _is_kept_since(connection: AsyncConnection, after: int) -> bool:
    bounds = select(func.min(_EACH.id), func.max(_EACH.id))
    oldest, newest = (await connection.execute(bounds)).one()
    return after == 0 if oldest is None else oldest - 1 <= after <= newest
