"""Members: whose e-mail addresses may sign in by browser, and what each may do then."""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import LastAdmin, MemberFromConfig, MemberNotFound
from stemset.jobs import tables
from stemset.jobs.caller import Caller, Role
from stemset.jobs.emails import plain_email

_ID_BYTES = 6
_COLUMNS = tables.members.c


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may sign in.

    Attributes:
        id: Its id: the owner of what it makes.
        email: Its address, in small letters.
        role: What it may do.
        profiles: Profiles that it is limited to, None for all.
        from_config: Whether the configuration names it, so that it can be removed there alone.
        name: What the provider calls the person, None before the first sign-in.
        subject: The provider's account, None before the first sign-in.
        added_at: When it was added.
        signed_in_at: When it signed in last, None for never.
    """

    id: str
    email: str
    role: Role
    profiles: frozenset[str] | None
    from_config: bool
    name: str | None
    subject: str | None
    added_at: datetime
    signed_in_at: datetime | None

    @property
    def caller(self) -> Caller:
        """It as who calls."""
        return Caller(self.id, self.email, self.role.scope, self.profiles)


async def put(
    connection: AsyncConnection, email: str, role: Role, profiles: Iterable[str] | None
) -> Member:
    """Let an address sign in, or change what it may do.

    Args:
        connection: The transaction.
        email: The address.
        role: What it may do.
        profiles: Profiles that it is limited to, None for all.

    Raises:
        InvalidConfig: It is no address.
        LastAdmin: It is the last admin, and would be none any more.
        MemberFromConfig: The configuration says that it is an admin.
    """
    known = await _locked(connection, plain_email(email))
    if known is not None and role is not Role.ADMIN:
        _check_own(known)
        await _check_other_admin(connection, known)
    limit = None if profiles is None or role is Role.ADMIN else sorted(set(profiles))
    row = insert(tables.members).values(
        id=f"m_{secrets.token_hex(_ID_BYTES)}",
        email=plain_email(email),
        role=role,
        profiles=limit,
        from_config=False,
    )
    changed = row.on_conflict_do_update(
        index_elements=["email"], set_={"role": role, "profiles": row.excluded.profiles}
    )
    return member_of((await connection.execute(changed.returning(*_COLUMNS))).one())


async def remove(connection: AsyncConnection, email: str) -> Member:
    """Let an address sign in no more; its sessions end from the commit on.

    Raises:
        MemberNotFound: It is nobody's.
        LastAdmin: It is the last admin.
        MemberFromConfig: The configuration names it.
    """
    member = await _locked(connection, email.strip().lower())
    if member is None:
        raise _unknown(email)
    _check_own(member)
    await _check_other_admin(connection, member)
    await connection.execute(tables.members.delete().where(_COLUMNS.id == member.id))
    return member


async def find(connection: AsyncConnection, email: str) -> Member:
    """Look a member up by its address. Raises MemberNotFound."""
    query = select(*_COLUMNS).where(_COLUMNS.email == email.strip().lower())
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise _unknown(email)
    return member_of(row)


async def list_members(connection: AsyncConnection) -> list[Member]:
    """All members, by address."""
    rows = await connection.execute(select(*_COLUMNS).order_by(_COLUMNS.email))
    return [member_of(row) for row in rows]


async def note_sign_in(
    connection: AsyncConnection, member: Member, subject: str, name: str | None
) -> None:
    """Note that a member signs in, and with which of the provider's accounts."""
    await connection.execute(
        update(tables.members)
        .where(_COLUMNS.id == member.id)
        .values(subject=subject, name=name, signed_in_at=func.now())
    )


async def agree_with_config(connection: AsyncConnection, admins: Collection[str]) -> None:
    """Have the admins that the configuration names, and none that it does not name any more.

    Args:
        connection: The transaction.
        admins: Their addresses, in small letters.
    """
    gone = tables.members.delete().where(_COLUMNS.from_config, _COLUMNS.email.not_in(admins))
    await connection.execute(gone)
    for email in sorted(admins):
        row = insert(tables.members).values(
            id=f"m_{secrets.token_hex(_ID_BYTES)}", email=email, role=Role.ADMIN, from_config=True
        )
        named = {"role": Role.ADMIN, "profiles": None, "from_config": True}
        await connection.execute(row.on_conflict_do_update(index_elements=["email"], set_=named))


def member_of(row: Row) -> Member:
    """The member that a row with all columns of the table is."""
    return Member(
        row.id,
        row.email,
        Role(row.role),
        None if row.profiles is None else frozenset(row.profiles),
        row.from_config,
        row.name,
        row.subject,
        row.added_at,
        row.signed_in_at,
    )


async def _locked(connection: AsyncConnection, email: str) -> Member | None:
    """A member whom nobody else changes meanwhile; nor does anybody count admins."""
    query = select(*_COLUMNS).order_by(_COLUMNS.id).with_for_update()
    rows = [member_of(row) for row in await connection.execute(query)]
    return next((each for each in rows if each.email == email), None)


def _check_own(member: Member) -> None:
    if member.from_config:
        raise MemberFromConfig(
            f"{member.email} is an admin by STEMSET_ADMINS: take the address out of it, and start "
            "the service again."
        )


async def _check_other_admin(connection: AsyncConnection, member: Member) -> None:
    if member.role is not Role.ADMIN:
        return
    query = select(func.count()).where(_COLUMNS.role == Role.ADMIN, _COLUMNS.id != member.id)
    if not (await connection.execute(query)).scalar_one():
        raise LastAdmin(f"{member.email} is the last admin: make somebody else one first.")


def _unknown(email: str) -> MemberNotFound:
    return MemberNotFound(f"{email!r} is no member's address.")
