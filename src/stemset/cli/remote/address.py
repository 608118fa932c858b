"""The worker that a profile's work is sent to."""

from stemset.config import Profile, Settings
from stemset.errors import RemoteUnavailable
from stemset.orders.address import WorkerAddress, check_address


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
    return check_address(settings.worker_url, settings.worker_secrets)
