"""The worker's address: whether orders may be sent there, and with what."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from stemset.config import Profile, Settings
from stemset.errors import InvalidConfig, RemoteUnavailable, SecretMissing
from stemset.orders.signing import HOW_TO_MAKE_A_SECRET


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """Where orders go.

    Attributes:
        url: The worker's address, without a closing slash.
        secrets: What orders are signed with; may be empty on loopback.
    """

    url: str
    secrets: tuple[str, ...]


def worker_address(settings: Settings, profile: Profile) -> WorkerAddress:
    """Find the worker, before anything is uploaded for it.

    Raises:
        RemoteUnavailable: No worker is configured.
        InvalidConfig: Its address is none, or would send orders in the clear.
        SecretMissing: It is on another machine, and there is nothing to sign orders with.
    """
    if settings.worker_url is None:
        raise RemoteUnavailable(
            f"Profile {profile.name} says remote: true, and no worker is configured "
            "(gpu_worker_url or GPU_WORKER_URL). Use --local to work on this machine."
        )
    parts = _parsed(settings.worker_url)
    if not _is_loopback(parts.hostname or ""):
        _check_distant(parts, settings)
    return WorkerAddress(settings.worker_url.rstrip("/"), settings.worker_secrets)


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is none
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidConfig(
            f"The worker's address {url!r} (gpu_worker_url or GPU_WORKER_URL) must look like "
            "https://worker.example."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidConfig(
            "The worker's address (gpu_worker_url or GPU_WORKER_URL) must hold no password, "
            "no '?' and no '#'."
        )
    return parts


def _check_distant(parts: SplitResult, settings: Settings) -> None:
    if parts.scheme != "https":
        raise InvalidConfig(
            f"The worker's address {settings.worker_url} is http: orders and links to your "
            f"recordings would travel readable by anyone. Use https://{parts.netloc}."
        )
    if not settings.worker_secrets:
        raise SecretMissing(
            f"Orders to {settings.worker_url} must be signed: set STEMSET_WORKER_SECRET to the "
            f"same value here and on the worker. {HOW_TO_MAKE_A_SECRET}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
