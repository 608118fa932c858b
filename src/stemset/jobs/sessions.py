"""Sessions: browsers that a member signed in with. The ledger keeps a hash of the secret, never it.

A session's text is ``sts_<id>_<secret>`` (``secret_texts``); a cookie holds it. What its member may
do is looked up each time, so that a change of the role, or of the list, counts at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import SignInExpired, Unauthenticated
from stemset.jobs import secret_texts, tables
from stemset.jobs.caller import Caller
from stemset.jobs.database import Database
from stemset.jobs.members import Member, member_of

LASTS = timedelta(days=30)
"""From the sign-in on, however much it is used."""

_KIND = "sts"
_COLUMNS = tables.sessions.c
_OF_MEMBER = tables.members.c


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that a member signed in with.

    Attributes:
        id: Its id.
        member: Who signed in, as it is now.
        expires_at: When it ends by itself.
    """

    id: str
    member: Member
    expires_at: datetime


async def begin(connection: AsyncConnection, member: Member, flow: str) -> str:
    """Begin a session.

    Args:
        connection: The transaction.
        member: Who signed in.
        flow: The sign-in that it comes of: none begins more than one session, ever.

    Returns:
        Its text, which cannot be had again.

    Raises:
        SignInExpired: Another session came of this sign-in.
    """
    made = secret_texts.make(_KIND)
    row = insert(tables.sessions).values(
        id=made.id,
        secret_sha256=made.secret_sha256,
        member_id=member.id,
        flow=flow,
        expires_at=func.now() + LASTS,
    )
    once = row.on_conflict_do_nothing(index_elements=["flow"]).returning(_COLUMNS.id)
    if (await connection.execute(once)).one_or_none() is None:
        raise SignInExpired("This sign-in was used already. Sign in again.")
    return made.text


async def read(connection: AsyncConnection, text: str) -> Session | None:
    """Look a session up by its text; None if it is none that goes on."""
    if (shown := secret_texts.read(_KIND, text)) is None:
        return None
    query = (
        select(*_OF_MEMBER, _COLUMNS.secret_sha256, _COLUMNS.expires_at)
        .join_from(tables.sessions, tables.members)
        .where(_COLUMNS.id == shown.id, _goes_on())
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None or not shown.fits(row.secret_sha256):
        return None
    return Session(shown.id, member_of(row), row.expires_at)


async def authenticate(database: Database, text: str) -> Caller:
    """Find whose session it is.

    Raises:
        Unauthenticated: It is none, or does not go on; which one of these it is is not said.
        DatabaseUnavailable: The database does not answer.
        DatabaseFailed: It refuses.
    """
    async with database.reading() as connection:
        session = await read(connection, text)
    if session is None:
        raise Unauthenticated("You are not signed in, or not any more. Sign in again.")
    return session.member.caller


async def end(connection: AsyncConnection, session_id: str) -> None:
    """End a session from the commit on; one that has ended stays as it is."""
    await _end(connection, _COLUMNS.id == session_id)


async def end_all(connection: AsyncConnection, member: Member) -> int:
    """End all sessions of a member from the commit on. Returns how many there were."""
    return await _end(connection, _COLUMNS.member_id == member.id)


async def count(connection: AsyncConnection) -> Mapping[str, int]:
    """How many sessions go on, by the member's id."""
    query = select(_COLUMNS.member_id, func.count()).where(_goes_on())
    rows = await connection.execute(query.group_by(_COLUMNS.member_id))
    return {row[0]: row[1] for row in rows}


async def forget(connection: AsyncConnection) -> None:
    """Forget those that would have ended by themselves: none of their sign-ins can come again."""
    await connection.execute(tables.sessions.delete().where(_COLUMNS.expires_at < func.now()))


def _goes_on() -> ColumnElement[bool]:
    return _COLUMNS.ended_at.is_(None) & (_COLUMNS.expires_at > func.now())


async def _end(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    ended = update(tables.sessions).where(which, _goes_on()).values(ended_at=func.now())
    return len((await connection.execute(ended.returning(_COLUMNS.id))).all())
