"""The worker's address: whether orders may be sent there, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from stemset.errors import InvalidConfig, SecretMissing
from stemset.http_rules import is_loopback
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


def check_address(url: str, secrets: Sequence[str]) -> WorkerAddress:
    """Check the worker's address, before anything is uploaded for it.

    Args:
        url: The address as it was configured.
        secrets: What orders are to be signed with.

    Raises:
        InvalidConfig: It is none, or would send orders in the clear.
        SecretMissing: It is on another machine, and there is nothing to sign orders with.
    """
    parts = _parsed(url)
    if not is_loopback(parts.hostname or ""):
        _check_distant(parts, url, secrets)
    return WorkerAddress(url.rstrip("/"), tuple(secrets))


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


def _check_distant(parts: SplitResult, url: str, secrets: Sequence[str]) -> None:
    if parts.scheme != "https":
        raise InvalidConfig(
            f"The worker's address {url} is http: orders and links to your "
            f"recordings would travel readable by anyone. Use https://{parts.netloc}."
        )
    if not secrets:
        raise SecretMissing(
            f"Orders to {url} must be signed: set STEMSET_WORKER_SECRET to the "
            f"same value here and on the worker. {HOW_TO_MAKE_A_SECRET}"
        )
