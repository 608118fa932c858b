"""Lists of jobs, page by page: however many there are, a page costs the same."""

import base64
import binascii
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import InvalidCursor
from stemset.jobs import tables
from stemset.jobs.job import COLUMNS, Job, State, read


async def page(
    connection: AsyncConnection,
    *,
    profiles: Collection[str] | None,
    states: Collection[State] | None,
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[Job], str | None]:
    """Jobs, the newest first.

    Args:
        connection: The transaction.
        profiles: Only of these, None for all.
        states: Only in these, None for all.
        cursor: Where the page before ended.
        limit: How many at most.

    Returns:
        The jobs, and the cursor of the next page, None on the last.

    Raises:
        InvalidCursor: The cursor is none of ours.
    """
    each = tables.jobs.c
    query = select(*COLUMNS).order_by(each.created_at.desc(), each.id.desc())
    if profiles is not None:
        query = query.where(each.profile.in_(profiles))
    if states is not None:
        query = query.where(each.state.in_(states))
    if cursor is not None:
        query = query.where(tuple_(each.created_at, each.id) < _parse(cursor))
    rows = (await connection.execute(query.limit(limit + 1))).all()
    jobs = [read(row) for row in rows[:limit]]
    return jobs, _cursor(jobs[-1]) if len(rows) > limit else None


def _cursor(job: Job) -> str:
    text = f"{job.created_at.isoformat()} {job.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _parse(cursor: str) -> tuple[datetime, str]:
    try:
        moment, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return datetime.fromisoformat(moment), job_id
    except (ValueError, binascii.Error):
        raise InvalidCursor(f"{cursor!r} is no cursor of a page.") from None
