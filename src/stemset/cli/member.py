"""``stemset member`` and ``stemset audit``, in whichever database the service has."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.cli.ledger_command import (
    in_ledger,
    moment,
    print_json,
    profiles_in_words,
    say,
    whoever_runs_it,
)
from stemset.config import load_settings
from stemset.jobs import audit, members, sessions
from stemset.jobs.audit import Action, Entry
from stemset.jobs.caller import Role
from stemset.jobs.members import Member


def run_add(
    email: str,
    *,
    role: Role,
    profiles: Sequence[str] | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Let an address sign in, or change what it may do."""
    settings = load_settings(config, data=data)
    for profile in profiles or ():
        settings.profile(profile)

    async def work(connection: AsyncConnection) -> Member:
        member = await members.put(connection, email, role, profiles)
        actor, action = whoever_runs_it(), Action.MEMBER_PUT
        limit = _sorted(member)
        await audit.note(connection, actor, action, member.email, role=role, profiles=limit)
        return member

    member = in_ledger(settings, work)
    if as_json:
        print_json(member=_as_json(member))
        return
    say(f"{member.email} may sign in: {_reach(member)}.")
    if settings.sign_in is None:
        sys.stderr.write("Nobody can yet: STEMSET_OIDC_ISSUER is not set.\n")


def run_list(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Print every member."""

    async def work(connection: AsyncConnection) -> tuple[list[Member], Mapping[str, int]]:
        return await members.list_members(connection), await sessions.count(connection)

    found, counts = in_ledger(load_settings(config, data=data), work)
    if as_json:
        rows = [{**_as_json(each), "sessions": counts.get(each.id, 0)} for each in found]
        print_json(members=rows)
        return
    if not found:
        sys.stderr.write("Nobody may sign in. To let somebody: stemset member add E-MAIL\n")
    for member in found:
        named = " (by STEMSET_ADMINS)" if member.from_config else ""
        say(f"{member.email} {_reach(member)}{named}")
        signed_in = moment(member.signed_in_at) if member.signed_in_at else "never"
        browsers = _browsers(counts.get(member.id, 0))
        say(f"  last signed in {signed_in}   signed in with {browsers} now")


def run_remove(email: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Let an address sign in no more."""

    async def work(connection: AsyncConnection) -> Member:
        member = await members.remove(connection, email)
        await audit.note(connection, whoever_runs_it(), Action.MEMBER_REMOVED, member.email)
        return member

    member = in_ledger(load_settings(config, data=data), work)
    if as_json:
        print_json(member=_as_json(member))
    else:
        say(f"{member.email} may sign in no more; within seconds its sessions are refused.")


def run_sign_out(email: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Sign a member out everywhere."""

    async def work(connection: AsyncConnection) -> tuple[Member, int]:
        member = await members.find(connection, email)
        ended = await sessions.end_all(connection, member)
        actor, action = whoever_runs_it(), Action.SIGNED_OUT_EVERYWHERE
        await audit.note(connection, actor, action, member.email, sessions=ended)
        return member, ended

    member, ended = in_ledger(load_settings(config, data=data), work)
    if as_json:
        print_json(member=_as_json(member), ended=ended)
    else:
        say(f"{member.email} is signed out of {_browsers(ended)}: within seconds.")


def run_audit(*, limit: int, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Print the newest entries of the audit log, the newest last."""

    async def work(connection: AsyncConnection) -> list[Entry]:
        return await audit.page(connection, None, limit)

    found = in_ledger(load_settings(config, data=data), work)[::-1]
    if as_json:
        print_json(entries=[_entry_as_json(entry) for entry in found])
        return
    for entry in found:
        detail = ", ".join(f"{name} {value}" for name, value in entry.detail.items())
        parts = [entry.action.replace("_", " "), entry.subject, detail and f"({detail})"]
        where = f" from {entry.actor.address}" if entry.actor.address else ""
        said = " ".join(filter(None, parts))
        say(_on_one_line(f"{moment(entry.at)}  {entry.actor.name}{where}: {said}"))
    if not found:
        sys.stderr.write("Nothing was done yet that the audit log keeps.\n")


def _reach(member: Member) -> str:
    return f"{member.role}, {profiles_in_words(member.profiles)}"


def _sorted(member: Member) -> list[str] | None:
    return None if member.profiles is None else sorted(member.profiles)


def _browsers(count: int) -> str:
    return "1 browser" if count == 1 else f"{count} browsers"


def _on_one_line(text: str) -> str:
    """Names come from others: nothing in them may move the terminal's cursor."""
    return "".join(each if each.isprintable() else "�" for each in text)


def _as_json(member: Member) -> dict[str, object]:
    return {
        "id": member.id,
        "email": member.email,
        "role": member.role,
        "profiles": _sorted(member),
        "from_config": member.from_config,
        "name": member.name,
        "added_at": member.added_at.isoformat(),
        "signed_in_at": member.signed_in_at and member.signed_in_at.isoformat(),
    }


def _entry_as_json(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "actor": entry.actor.name,
        "action": entry.action,
        "subject": entry.subject,
        "detail": dict(entry.detail),
        "address": entry.actor.address,
        "request_id": entry.actor.request_id,
    }
