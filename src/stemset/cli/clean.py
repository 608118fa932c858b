"""``stemset clean``: what the service need not keep, listed, or removed if it is said.

With ``--json``: one JSON object a line on standard output, each with ``schema_version`` and
``event``: ``planned`` or ``removed`` for each thing, ``summary`` at the end.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from pathlib import Path

from stemset.api.cleaning import clean, find
from stemset.api.service import Service
from stemset.config import Settings, load_settings
from stemset.dispatch.threads import Threads
from stemset.errors import InvalidConfig
from stemset.jobs.database import Database
from stemset.jobs.findings import Finding, Reason
from stemset.jobs.opening import open_conninfo
from stemset.jobs.retention import GRACE
from stemset.postgres.cluster import is_made
from stemset.storage.service_store import service_store
from stemset.storage.store import open_store
from stemset.telemetry import configure_logs

JSON_SCHEMA_VERSION = 1

_THREADS = 4
_ENDS_WITHIN_S = 60.0
_WHY = {
    Reason.OUTPUT_AGE: "made {since}, past the age of its profile",
    Reason.INPUT_AGE: "last used {since}, past the age of its profiles",
    Reason.ORPHAN: "its job ended {since}, and no output stands on it",
    Reason.UPLOAD_ABANDONED: "nothing came of this upload since {since}",
}
_PAST_AGE = frozenset({Reason.OUTPUT_AGE, Reason.INPUT_AGE})


def run_clean(*, remove: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """List what can be removed, or remove it.

    Args:
        remove: Whether it is removed.
        config: The configuration file that was named.
        data: The data folder that was named.
        as_json: Whether JSON is printed.
    """
    settings = load_settings(config, data=data)
    if settings.database_url is None and not is_made(settings.data):
        raise InvalidConfig(
            f"No service has run in {settings.data}, so there is nothing to clean. Name its data "
            "folder with --data, or its database with DATABASE_URL."
        )
    configure_logs(logging.WARNING)
    with open_conninfo(settings.data, settings.database_url) as conninfo:
        found = asyncio.run(_run(settings, conninfo, remove=remove, as_json=as_json))
    if as_json:
        total = sum(each.bytes for each in found)
        _print_json("summary", removed=remove, count=len(found), bytes=total)
    else:
        _sum_up(found, remove=remove)


async def _run(settings: Settings, conninfo: str, *, remove: bool, as_json: bool) -> list[Finding]:
    store = service_store(settings.store, settings.data)
    service = Service(
        settings=settings,
        database=Database(conninfo, pool_size=2),
        store=open_store(store),
        store_settings=store,
        threads=Threads(_THREADS),
        scratch=settings.data / "scratch",
        is_open=True,
    )
    work: Callable[[Service], AsyncIterator[Finding]] = clean if remove else find
    found: list[Finding] = []
    try:
        async for each in work(service):
            found.append(each)
            _tell(each, remove=remove, as_json=as_json)
    finally:
        service.threads.close(_ENDS_WITHIN_S)
        await service.database.close()
    return found


def _tell(found: Finding, *, remove: bool, as_json: bool) -> None:
    if as_json:
        _print_json(
            "removed" if remove else "planned",
            reason=found.reason,
            id=found.id,
            profile=found.profile,
            place=found.place,
            bytes=found.bytes,
            since=found.since.isoformat(),
        )
        return
    since = found.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    start = "removed" if remove else "would remove"
    _say(f"{start} {found.place} ({_size(found.bytes)}): {_WHY[found.reason].format(since=since)}")


def _sum_up(found: list[Finding], *, remove: bool) -> None:
    if not found:
        _say("There is nothing to remove.")
        return
    total = f"{len(found)} in all, {_size(sum(each.bytes for each in found))}"
    if not remove:
        _say(f"Would remove {total}. To do so: stemset clean --remove")
        return
    _say(f"Removed {total}.")
    if any(each.reason in _PAST_AGE for each in found):
        _say(
            "What is past its age is gone from the library; its files go "
            f"{GRACE.total_seconds() / 3600:.0f} hours later, so that nobody who has one open is "
            "interrupted."
        )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"


def _print_json(event: str, **facts: object) -> None:
    _say(json.dumps({"schema_version": JSON_SCHEMA_VERSION, "event": event, **facts}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
