"""The audit log: who did what that people may ask about later. It is kept for 400 days.

An entry is written in the transaction of what it tells of: neither is there without the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.jobs import tables

KEPT = timedelta(days=400)

_LONGEST = 300
_COLUMNS = tables.audit.c


class Action(StrEnum):
    """What was done."""

    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    MEMBER_PUT = "member_put"
    MEMBER_REMOVED = "member_removed"
    TOKEN_CREATED = "token_created"  # noqa: S105 - no secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    PHONE_PAIRED = "phone_paired"
    PHONE_UNPAIRED = "phone_unpaired"
    RECORDING_DELETED = "recording_deleted"
    OUTPUT_DELETED = "output_deleted"
    JOB_CANCELLED = "job_cancelled"
    MODEL_INSTALLED = "model_installed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which call.

    Attributes:
        name: What people call it.
        id: A token's or member's id, ``local``; None for a command, or somebody unknown.
        address: Where the call comes from; behind a proxy that is the proxy.
        request_id: The call's id.
    """

    name: str
    id: str | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done once.

    Attributes:
        id: Its number; later ones are higher.
        at: When.
        actor: Who did it.
        action: What.
        subject: What it was done to, for people.
        detail: What else there is to know.
    """

    id: int
    at: datetime
    actor: Actor
    action: str
    subject: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict[str, object])


async def note(
    connection: AsyncConnection,
    actor: Actor,
    action: Action,
    subject: str | None = None,
    **detail: object,
) -> None:
    """Write an entry.

    Args:
        connection: The transaction of what it tells of.
        actor: Who does it.
        action: What is done.
        subject: What it is done to, for people; cut where it is very long.
        detail: What else there is to know, as JSON has it.
    """
    await connection.execute(
        insert(tables.audit).values(
            actor=actor.name[:_LONGEST],
            actor_id=actor.id,
            action=action,
            subject=subject and subject[:_LONGEST],
            detail=detail,
            address=actor.address,
            request_id=actor.request_id,
        )
    )


async def page(connection: AsyncConnection, before: int | None, limit: int) -> list[Entry]:
    """Some entries, the newest first.

    Args:
        connection: The transaction.
        before: They are older than this one; None for the newest.
        limit: How many at most.
    """
    query = select(*_COLUMNS).order_by(_COLUMNS.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_COLUMNS.id < before)
    return [
        Entry(
            row.id,
            row.at,
            Actor(row.actor, row.actor_id, row.address, row.request_id),
            row.action,
            row.subject,
            row.detail,
        )
        for row in await connection.execute(query)
    ]


async def forget(connection: AsyncConnection) -> None:
    """Forget what is older than it is kept."""
    await connection.execute(tables.audit.delete().where(_COLUMNS.at < func.now() - KEPT))
