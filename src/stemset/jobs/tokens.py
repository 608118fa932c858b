"""Tokens: what scripts call the API with. The ledger keeps a hash of a token's secret, never it.

A token's text is ``stm_<id>_<secret>`` (``secret_texts``). Names are unique among tokens that are
not revoked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import InvalidConfig, TokenNotFound, Unauthenticated
from stemset.jobs import secret_texts, tables
from stemset.jobs.caller import Caller, Scope
from stemset.jobs.database import Database

_KIND = "stm"
_MAX_NAME = 64
_USE_IS_NOTED_AFTER = timedelta(minutes=1)
_COLUMNS = tables.tokens.c


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token.

    Attributes:
        id: Its id, also a part of its text.
        name: What people call it.
        scope: The most that its holder may do.
        profiles: Profiles that its holder is limited to, None for all.
        created_at: When it was made.
        expires_at: When it is refused from, None for never.
        revoked_at: When it was revoked, None if it was not.
        used_at: When it was last used, to about a minute; None for never.
    """

    id: str
    name: str
    scope: Scope
    profiles: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


async def create(
    connection: AsyncConnection,
    name: str,
    scope: Scope,
    profiles: Iterable[str] | None,
    expires_at: datetime | None,
) -> tuple[Token, str]:
    """Make a token.

    Args:
        connection: The transaction.
        name: What people call it: 1 to 64 printable characters.
        scope: The most that its holder may do.
        profiles: Profiles that its holder is limited to, None for all.
        expires_at: When it is refused from, None for never.

    Returns:
        The token, and its text, which cannot be had again.

    Raises:
        InvalidConfig: Another token has this name, or it cannot be one.
    """
    _check_name(name)
    text = secret_texts.make(_KIND)
    row = insert(tables.tokens).values(
        id=text.id,
        name=name,
        secret_sha256=text.secret_sha256,
        scope=scope,
        profiles=None if profiles is None else sorted(set(profiles)),
        expires_at=expires_at,
    )
    unless_taken = row.on_conflict_do_nothing(
        index_elements=["name"], index_where=_COLUMNS.revoked_at.is_(None)
    )
    made = (await connection.execute(unless_taken.returning(*_COLUMNS))).one_or_none()
    if made is None:
        raise InvalidConfig(
            f"There is a token named {name!r} already: revoke it first, or choose another name."
        )
    return _token(made), text.text


async def authenticate(database: Database, text: str) -> Caller:
    """Find who holds a token.

    Raises:
        Unauthenticated: It is no token, or not one that may be used now; which one of these it is
            is not said.
        DatabaseUnavailable: The database does not answer.
        NoSpace: Its disk is full.
        DatabaseFailed: It refuses.
    """
    if (shown := secret_texts.read(_KIND, text)) is None:
        raise _refusal()
    async with database.transaction() as connection:
        usable = _COLUMNS.revoked_at.is_(None) & or_(
            _COLUMNS.expires_at.is_(None), _COLUMNS.expires_at > func.now()
        )
        query = select(*_COLUMNS, _use_is_due().label("is_due"))
        row = (await connection.execute(query.where(_COLUMNS.id == shown.id, usable))).one_or_none()
        if row is None or not shown.fits(row.secret_sha256):
            raise _refusal()
        if row.is_due:
            await _note_use(connection, shown.id)
    token = _token(row)
    return Caller(token.id, token.name, token.scope, token.profiles)


async def list_tokens(connection: AsyncConnection) -> list[Token]:
    """All tokens, the oldest first, with those that are expired or revoked."""
    rows = await connection.execute(select(tables.tokens).order_by(_COLUMNS.created_at))
    return [_token(row) for row in rows]


async def exist(connection: AsyncConnection) -> bool:
    """Whether there is a token that is taken now."""
    is_taken = _COLUMNS.revoked_at.is_(None) & (
        _COLUMNS.expires_at.is_(None) | (_COLUMNS.expires_at > func.now())
    )
    row = await connection.execute(select(_COLUMNS.id).where(is_taken).limit(1))
    return row.first() is not None


async def revoke(connection: AsyncConnection, id_or_name: str) -> Token:
    """Let a token be refused from the commit on; one that is revoked stays as it is.

    Args:
        connection: The transaction.
        id_or_name: Its id, or the name of one that is not revoked.

    Raises:
        TokenNotFound: There is none.
    """
    named = (_COLUMNS.name == id_or_name) & _COLUMNS.revoked_at.is_(None)
    row = (
        await connection.execute(
            update(tables.tokens)
            .where(or_(_COLUMNS.id == id_or_name, named))
            .values(revoked_at=func.coalesce(_COLUMNS.revoked_at, func.now()))
            .returning(*_COLUMNS)
        )
    ).one_or_none()
    if row is None:
        raise TokenNotFound(
            f"There is no token with the id {id_or_name!r}, and none in use that is named so."
        )
    return _token(row)


def _check_name(name: str) -> None:
    if not (0 < len(name) <= _MAX_NAME and name.isprintable() and name == name.strip()):
        raise InvalidConfig(
            f"{name!r} is no name of a token: 1 to {_MAX_NAME} printable characters, with no space"
            " around them."
        )
    if secret_texts.is_id(name):  # one word must not mean two tokens
        raise InvalidConfig(f"{name!r} is no name of a token: it looks like a token's id.")


def _use_is_due() -> ColumnElement[bool]:
    return or_(_COLUMNS.used_at.is_(None), _COLUMNS.used_at < func.now() - _USE_IS_NOTED_AFTER)


async def _note_use(connection: AsyncConnection, token_id: str) -> None:
    await connection.execute(
        update(tables.tokens)
        .where(_COLUMNS.id == token_id, _use_is_due())
        .values(used_at=func.now())
    )


def _refusal() -> Unauthenticated:
    return Unauthenticated("The token is not valid: it is unknown, expired or revoked.")


def _token(row: Row) -> Token:
    return Token(
        row.id,
        row.name,
        Scope(row.scope),
        None if row.profiles is None else frozenset(row.profiles),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
    )
