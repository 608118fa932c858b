"""``stemset token``: create, list and revoke, in whichever database the service has."""

import json
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.config import Settings, load_settings
from stemset.errors import InvalidConfig
from stemset.jobs import tokens
from stemset.jobs.caller import Scope
from stemset.jobs.opening import in_transaction
from stemset.jobs.tokens import Token
from stemset.telemetry import configure_logs

_NEVER = "never"
_LIFETIME = re.compile(r"([0-9]{1,5})([hd])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}

_T = TypeVar("_T")


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
    token, text = _in_transaction(
        settings,
        lambda connection: tokens.create(connection, name, scope, profiles, expires_at),
    )
    if as_json:
        _print_json(token={**_as_json(token), "text": text})
        return
    end = f"expires on {_moment(token.expires_at)}" if token.expires_at else "never expires"
    sys.stderr.write(
        f"Token {token.name!r} ({_reach(token)}) is made; it {end}.\n"
        "Keep it where others cannot read it: it is not shown again.\n"
        "A call carries it as the header  Authorization: Bearer <token>\n"
    )
    _say(text)


def run_list(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Print every token, never its secret."""
    found = _in_transaction(load_settings(config, data=data), tokens.list_tokens)
    if as_json:
        _print_json(tokens=[_as_json(token) for token in found])
        return
    if not found:
        sys.stderr.write("There is no token. To make one: stemset token create NAME\n")
    for token in found:
        _say(f"{token.id} {token.name} ({_state(token)})")
        _say(f"  {_reach(token)}")
        used = _moment(token.used_at) if token.used_at else "never"
        _say(f"  made {_moment(token.created_at)}   last used {used}")


def run_revoke(id_or_name: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Revoke a token."""
    token = _in_transaction(
        load_settings(config, data=data),
        lambda connection: tokens.revoke(connection, id_or_name),
    )
    if as_json:
        _print_json(token=_as_json(token))
    else:
        _say(f"Token {token.name!r} ({token.id}) is revoked: within seconds it is refused.")


def _in_transaction(settings: Settings, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
    configure_logs(logging.WARNING)
    return in_transaction(settings.data, settings.database_url, work)


def _expiry(text: str, now: datetime) -> datetime | None:
    if text == _NEVER:
        return None
    match = _LIFETIME.fullmatch(text)
    if match is None or not int(match[1]):
        raise InvalidConfig(f"--expires must be such as 12h, 90d, or never; got {text!r}.")
    return now + int(match[1]) * _UNITS[match[2]]


def _reach(token: Token) -> str:
    limit = "every profile" if token.profiles is None else f"only {', '.join(_sorted(token))}"
    return f"scope {token.scope}, {limit}"


def _state(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {_moment(token.revoked_at)}"
    if token.expires_at is None:
        return "never expires"
    word = "expires" if token.expires_at > datetime.now(UTC) else "expired"
    return f"{word} {_moment(token.expires_at)}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


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


def _print_json(**facts: object) -> None:
    _say(json.dumps({"schema_version": 1, **facts}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
