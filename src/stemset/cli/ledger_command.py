"""What commands share that say or change something in the service's database."""

import getpass
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.config import Settings
from stemset.jobs.audit import Actor
from stemset.jobs.opening import in_transaction
from stemset.telemetry import configure_logs

_T = TypeVar("_T")


def in_ledger(settings: Settings, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
    """Do one thing in whichever database the service has, and commit it.

    Raises:
        StemsetError: What the database or the work raises.
    """
    configure_logs(logging.WARNING)
    return in_transaction(settings.data, settings.database_url, work)


def whoever_runs_it() -> Actor:
    """Whom the audit log names for what a command does."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown user"
    return Actor(f"{user} (command)")


def print_json(**facts: object) -> None:
    """Print one JSON object for programs."""
    say(json.dumps({"schema_version": 1, **facts}))


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def moment(when: datetime) -> str:
    """A moment as people read it."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def profiles_in_words(profiles: Collection[str] | None) -> str:
    """To which profiles somebody is limited."""
    return "every profile" if profiles is None else f"only {', '.join(sorted(profiles))}"
