"""``stemset token``: create, list and revoke, in whichever database the service has."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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
from stemset.errors import InvalidConfig
from stemset.jobs import audit, tokens
from stemset.jobs.audit import Action
from stemset.jobs.caller import Scope
from stemset.jobs.tokens import Token

_NEVER = "never"
_LIFETIME = re.compile(r"([0-9]{1,5})([hd])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


def run_create(
    name: str,
    *,
    scope: Scope,
    profiles: Sequence[str] | None,
    expires: str,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a token: standard output gets its text alone, standard error what there is to know."""
    settings = load_settings(config, data=data)
    for profile in profiles or ():
        settings.profile(profile)
    expires_at = _expiry(expires, datetime.now(UTC))

    async def work(connection: AsyncConnection) -> tuple[Token, str]:
        token, text = await tokens.create(connection, name, scope, profiles, expires_at)
        limit = None if token.profiles is None else _sorted(token)
        actor, action = whoever_runs_it(), Action.TOKEN_CREATED
        await audit.note(connection, actor, action, name, scope=scope, profiles=limit)
        return token, text

    token, text = in_ledger(settings, work)
    if as_json:
        print_json(token={**_as_json(token), "text": text})
        return
    end = f"expires on {moment(token.expires_at)}" if token.expires_at else "never expires"
    sys.stderr.write(
        f"Token {token.name!r} ({_reach(token)}) is made; it {end}.\n"
        "Keep it where others cannot read it: it is not shown again.\n"
        "A call carries it as the header  Authorization: Bearer <token>\n"
    )
    say(text)


def run_list(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Print every token, never its secret."""
    found = in_ledger(load_settings(config, data=data), tokens.list_tokens)
    if as_json:
        print_json(tokens=[_as_json(token) for token in found])
        return
    if not found:
        sys.stderr.write("There is no token. To make one: stemset token create NAME\n")
    for token in found:
        say(f"{token.id} {token.name} ({_state(token)})")
        say(f"  {_reach(token)}")
        used = moment(token.used_at) if token.used_at else "never"
        say(f"  made {moment(token.created_at)}   last used {used}")


def run_revoke(id_or_name: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Revoke a token."""

    async def work(connection: AsyncConnection) -> Token:
        token = await tokens.revoke(connection, id_or_name)
        await audit.note(connection, whoever_runs_it(), Action.TOKEN_REVOKED, token.name)
        return token

    token = in_ledger(load_settings(config, data=data), work)
    if as_json:
        print_json(token=_as_json(token))
    else:
        say(f"Token {token.name!r} ({token.id}) is revoked: within seconds it is refused.")


def _expiry(text: str, now: datetime) -> datetime | None:
    if text == _NEVER:
        return None
    match = _LIFETIME.fullmatch(text)
    if match is None or not int(match[1]):
        raise InvalidConfig(f"--expires must be such as 12h, 90d, or never; got {text!r}.")
    return now + int(match[1]) * _UNITS[match[2]]


def _reach(token: Token) -> str:
    return f"scope {token.scope}, {profiles_in_words(token.profiles)}"


def _state(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {moment(token.revoked_at)}"
    if token.expires_at is None:
        return "never expires"
    word = "expires" if token.expires_at > datetime.now(UTC) else "expired"
    return f"{word} {moment(token.expires_at)}"


def _sorted(token: Token) -> list[str]:
    return sorted(token.profiles or ())


def _as_json(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "profiles": None if token.profiles is None else _sorted(token),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
        "used_at": token.used_at and token.used_at.isoformat(),
    }
