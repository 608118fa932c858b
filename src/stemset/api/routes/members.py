"""Who may sign in, for admins; and the audit log."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, BaseModel, Field

from stemset.api.access import Admin
from stemset.api.auditing import ActorOf
from stemset.api.errors import errors
from stemset.api.service import ServiceOf
from stemset.errors import (
    Forbidden,
    InvalidConfig,
    LastAdmin,
    MemberFromConfig,
    MemberNotFound,
    UnknownProfile,
)
from stemset.jobs import audit, members, sessions
from stemset.jobs.audit import Action
from stemset.jobs.caller import Role
from stemset.jobs.emails import plain_email
from stemset.jobs.members import Member

router = APIRouter(prefix="/api", tags=["members"])

_PAGE = 50
_PAGE_AT_MOST = 200
_LAST_ID = 2**63 - 1


def _email(text: str) -> str:
    try:
        return plain_email(text)
    except InvalidConfig as error:
        raise ValueError(str(error)) from error


Email = Annotated[str, AfterValidator(_email), Path(description="An e-mail address.")]


class MemberView(BaseModel):
    """Somebody who may sign in.

    Attributes:
        id: The owner of what it makes.
        email: Its address.
        role: What it may do.
        profiles: Profiles that it is limited to; null for all.
        from_config: Whether `STEMSET_ADMINS` names it: only there can it be removed.
        name: What the provider calls the person; null before the first sign-in.
        added_at: When it was added.
        signed_in_at: When it signed in last; null for never.
        sessions: With how many browsers it is signed in.
    """

    id: str
    email: str
    role: Role
    profiles: list[str] | None
    from_config: bool
    name: str | None
    added_at: datetime
    signed_in_at: datetime | None
    sessions: int


class MemberList(BaseModel):
    """Everybody who may sign in.

    Attributes:
        members: By address.
    """

    members: list[MemberView]


class Membership(BaseModel):
    """What a member may do.

    Attributes:
        role: A `member` may what scope `write` may, an `admin` everything.
        profiles: Profiles that a member is limited to; null for all. An admin has all.
    """

    role: Role = Role.MEMBER
    profiles: Annotated[list[str], Field(min_length=1, max_length=100)] | None = None


class AuditEntry(BaseModel):
    """What was done once.

    Attributes:
        id: Its number; later ones are higher.
        at: When.
        actor: Who did it: an address, a token's name, `local user`, or who ran a command.
        action: What.
        subject: What it was done to; null where that is clear.
        detail: What else there is to know.
        address: Where the call came from; null for a command. Behind a proxy it is the proxy's.
        request_id: What the service's log has of the call.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: dict[str, Any]
    address: str | None
    request_id: str | None


class AuditPage(BaseModel):
    """A part of the audit log.

    Attributes:
        entries: The newest first.
        next: What to ask for `before` to get older ones; null if there are none.
    """

    entries: list[AuditEntry]
    next: int | None


@router.get("/members", operation_id="list_members", responses=errors(Forbidden))
async def list_members(service: ServiceOf, _caller: Admin) -> MemberList:
    """List everybody who may sign in."""
    async with service.database.reading() as connection:
        found = await members.list_members(connection)
        counts = await sessions.count(connection)
    return MemberList(members=[_view(each, counts.get(each.id, 0)) for each in found])


@router.put(
    "/members/{email}",
    operation_id="put_member",
    responses=errors(LastAdmin, MemberFromConfig, UnknownProfile, Forbidden),
)
async def put_member(
    service: ServiceOf, _caller: Admin, actor: ActorOf, email: Email, wanted: Membership
) -> MemberView:
    """Let an e-mail address sign in, or change what it may do; that counts within 5 seconds."""
    for profile in wanted.profiles or ():
        service.settings.profile(profile)
    async with service.database.transaction() as connection:
        member = await members.put(connection, email, wanted.role, wanted.profiles)
        limit = None if member.profiles is None else sorted(member.profiles)
        action = Action.MEMBER_PUT
        await audit.note(connection, actor, action, email, role=member.role, profiles=limit)
        counts = await sessions.count(connection)
    return _view(member, counts.get(member.id, 0))


@router.delete(
    "/members/{email}",
    operation_id="remove_member",
    status_code=204,
    response_class=Response,
    responses=errors(MemberNotFound, LastAdmin, MemberFromConfig, Forbidden),
)
async def remove_member(service: ServiceOf, _caller: Admin, actor: ActorOf, email: Email) -> None:
    """Let an e-mail address sign in no more, and end its sessions, within 5 seconds.

    What the person made stays.
    """
    async with service.database.transaction() as connection:
        await members.remove(connection, email)
        await audit.note(connection, actor, Action.MEMBER_REMOVED, email)


@router.delete(
    "/members/{email}/sessions",
    operation_id="sign_member_out",
    status_code=204,
    response_class=Response,
    responses=errors(MemberNotFound, Forbidden),
)
async def sign_member_out(service: ServiceOf, _caller: Admin, actor: ActorOf, email: Email) -> None:
    """Sign a member out of every browser, within 5 seconds; signing in again is not refused."""
    async with service.database.transaction() as connection:
        ended = await sessions.end_all(connection, await members.find(connection, email))
        action = Action.SIGNED_OUT_EVERYWHERE
        await audit.note(connection, actor, action, email, sessions=ended)


@router.get("/audit", operation_id="list_audit", responses=errors(Forbidden))
async def list_audit(
    service: ServiceOf,
    _caller: Admin,
    before: Annotated[int | None, Query(ge=1, le=_LAST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=_PAGE_AT_MOST)] = _PAGE,
) -> AuditPage:
    """Read what was done: sign-ins, members, tokens, phones, deletions. It is kept for 400 days."""
    async with service.database.reading() as connection:
        found = await audit.page(connection, before, limit)
    entries = [
        AuditEntry(
            id=each.id,
            at=each.at,
            actor=each.actor.name,
            action=each.action,
            subject=each.subject,
            detail=dict(each.detail),
            address=each.actor.address,
            request_id=each.actor.request_id,
        )
        for each in found
    ]
    return AuditPage(entries=entries, next=found[-1].id if len(found) == limit else None)


def _view(member: Member, open_sessions: int) -> MemberView:
    return MemberView(
        id=member.id,
        email=member.email,
        role=member.role,
        profiles=None if member.profiles is None else sorted(member.profiles),
        from_config=member.from_config,
        name=member.name,
        added_at=member.added_at,
        signed_in_at=member.signed_in_at,
        sessions=open_sessions,
    )
