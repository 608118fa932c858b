"""Loaded networks, kept warm from one recording to the next."""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stemset.catalogue.entries import find
from stemset.catalogue.weights import load_files
from stemset.errors import InvalidConfig
from stemset.separation.network import Network, Precision
from stemset.separation.networks import load_network
from stemset.separation.signals import SignalPlan

_PRECISION_VARIABLE = "STEMSET_PRECISION"
_FULL = "full"
_AUTO = "auto"


class Networks:
    """Loads each network once."""

    def __init__(
        self,
        cache: Path | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        """Set up an empty shelf.

        Args:
            cache: The model cache, by default the user's.
            threads: Threads that a network may use, by default one per core.
        """
        self._cache = cache
        self._threads = threads or _cores()
        self._loaded: dict[tuple[str, frozenset[str], bool], Network] = {}
        self._lock = threading.Lock()

    @property
    def device(self) -> str:
        """What the loaded networks compute on: ``cuda`` if any of them does."""
        with self._lock:
            devices = {network.device for network in self._loaded.values()}
        return "cuda" if "cuda" in devices else "cpu"

    @property
    def gpu_troubles(self) -> tuple[str, ...]:
        """Why loaded networks do not compute on a GPU that they should use, each reason once."""
        with self._lock:
            troubles = [network.gpu_trouble for network in self._loaded.values()]
        return tuple(dict.fromkeys(filter(None, troubles)))

    def load_ahead(self, plan: SignalPlan, *, original_manner: bool = False) -> None:
        """Begin to load in a thread of its own; ``load`` waits for it, and meets its errors."""

        def run() -> None:
            # Whatever it is, ``load`` meets it again, unless Python is ending: then nobody asks.
            with suppress(Exception):
                self.load(plan, original_manner=original_manner)

        # No daemon: the runtime aborts the process if Python ends while it loads.
        threading.Thread(target=run, name="stemset-load").start()

    def load(self, plan: SignalPlan, *, original_manner: bool = False) -> dict[str, Network]:
        """Load what a plan needs and is not loaded yet.

        Raises:
            ModelNotInstalled: Weights are not in the cache.
            ModelCorrupt: Weights are damaged.
            MissingDependency: What loads them is not installed.
            NetworkFailed: The runtime does not load them.
            InvalidConfig: ``STEMSET_PRECISION`` names no precision.
        """
        with self._lock:
            return {
                model: self._load(model, slots, original_manner=original_manner)
                for model, slots in plan.network_slots().items()
            }

    def _load(self, model: str, slots: frozenset[str], *, original_manner: bool) -> Network:
        key = (model, slots, original_manner)
        if key not in self._loaded:
            entry = find(model)
            self._loaded[key] = load_network(
                entry,
                load_files(entry, self._cache, slots),
                slots,
                threads=self._threads,
                original_manner=original_manner,
                full_precision=original_manner or full_precision_is_wanted(),
            )
        return self._loaded[key]


def coarsest_precision(networks: Iterable[Network]) -> Precision:
    """What networks compute in; of several precisions, the coarsest."""
    return max((network.precision for network in networks), key=list(Precision).index)


def full_precision_is_wanted() -> bool:
    """Whether ``STEMSET_PRECISION`` is ``full``; by default it is ``auto``.

    Raises:
        InvalidConfig: It is something else.
    """
    wanted = os.environ.get(_PRECISION_VARIABLE) or _AUTO
    if wanted not in {_FULL, _AUTO}:
        raise InvalidConfig(f"{_PRECISION_VARIABLE} must be {_FULL} or {_AUTO}, got {wanted!r}.")
    return wanted == _FULL


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
