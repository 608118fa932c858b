"""The runner of a process that computes itself."""

from collections.abc import Sequence
from pathlib import Path

from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.orders.local import LocalRunner
from stemset.orders.messages import ComputingSettings
from stemset.orders.supervisor import Supervisor
from stemset.storage.settings import StoreSettings


def local_runner(
    store: StoreSettings,
    *,
    max_duration_s: float,
    stall_s: float,
    allow_licences: Sequence[str] | None,
    scratch: Path | None,
) -> LocalRunner:
    """A runner with a computing process below this one; nothing is started yet.

    Args:
        store: Where recordings are fetched from and stems put.
        max_duration_s: Longest recording that is accepted.
        stall_s: An attempt that gets nowhere for so long is ended.
        allow_licences: Licences that models may have, None for all.
        scratch: Folder for recordings and stems in the making, None for the system's own.
    """
    computing = ComputingSettings(
        store=store.as_json(),
        storage_retry_s=store.retry_s,
        scratch=None if scratch is None else str(scratch),
        max_duration_s=max_duration_s,
        allow_licences=None if allow_licences is None else tuple(allow_licences),
        load=(DEFAULT_STRATEGY,),  # weights that are not there are no error before an order
    )
    return LocalRunner(Supervisor(computing, stall_s=stall_s))
