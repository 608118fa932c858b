"""Quotas: what a profile may have stored. Nothing is ever removed because of one."""

from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.service import Service
from stemset.errors import QuotaExceeded
from stemset.jobs.stored import count_bytes, take_turn


async def check_upload(
    service: Service, connection: AsyncConnection, profile: str, more_bytes: int = 0
) -> None:
    """Refuse a file for which a profile has no room.

    Args:
        service: What the process has.
        connection: The transaction; it may have noted the upload already.
        profile: The profile.
        more_bytes: Length of the file, if it has not.

    Raises:
        QuotaExceeded: All would be more than the quota.
    """
    limit = _quota(service, profile)
    if limit is None:
        return
    await take_turn(connection, profile)
    total = await count_bytes(connection, profile) + more_bytes
    if total > limit:
        raise _refusal(profile, limit, f"with this file it would hold {total:,} bytes")


async def job_refusal(
    service: Service, connection: AsyncConnection, profile: str
) -> QuotaExceeded | None:
    """Why a profile can have no new job, None if it can: how much one makes nobody knows."""
    limit = _quota(service, profile)
    if limit is None:
        return None
    used = await count_bytes(connection, profile)
    return _refusal(profile, limit, f"it holds {used:,} bytes") if used >= limit else None


def _quota(service: Service, profile: str) -> int | None:
    known = service.settings.profiles.get(profile)
    return None if known is None else known.quota


def _refusal(profile: str, limit: int, state: str) -> QuotaExceeded:
    return QuotaExceeded(
        f"The profile {profile!r} may hold {limit:,} bytes of recordings and stems; {state}. "
        "Delete some of them, or raise its quota."
    )
