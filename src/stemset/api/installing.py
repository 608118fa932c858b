"""Models that are being installed while the service runs."""

import threading
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.installation import InstallPhase, InstallProgress, install
from stemset.errors import StemsetError
from stemset.telemetry import get_logger

_log = get_logger("api")


@dataclass(frozen=True, slots=True)
class Installation:
    """How far an install is, or why it ended without the model.

    Attributes:
        progress: What it last said.
        error: Why it failed.
    """

    progress: InstallProgress
    error: StemsetError | None = None


class Installing:
    """Installs models in threads, each model once at a time.

    What is known of an install is kept in memory: a service that is started again goes on with what
    has arrived when it is asked to.
    """

    def __init__(self) -> None:
        """Begin with no install."""
        self._known: dict[str, Installation] = {}
        self._lock = threading.Lock()

    def of(self, entry: ModelEntry) -> Installation | None:
        """The install of a model that runs, or that failed; None if there is neither."""
        with self._lock:
            return self._known.get(entry.name)

    def begin(self, entry: ModelEntry) -> None:
        """Begin to install a model; one that is being installed goes on."""
        with self._lock:
            running = self._known.get(entry.name)
            if running and running.error is None:
                return
            self._known[entry.name] = Installation(InstallProgress(InstallPhase.WAITING))
        # Not waited for when the service ends: what has arrived is gone on with, and the model
        # appears in one piece or not at all.
        threading.Thread(target=self._run, args=[entry], name="install", daemon=True).start()

    def _run(self, entry: ModelEntry) -> None:
        def tell(progress: InstallProgress) -> None:
            with self._lock:
                self._known[entry.name] = Installation(progress)

        _log.info(f"Installing the model {entry.name}", model=entry.name)
        try:
            install(entry, on_progress=tell)
        except StemsetError as error:
            _log.warning(f"The model {entry.name} is not installed: {error}", code=error.code)
            with self._lock:
                last = self._known[entry.name]
                self._known[entry.name] = Installation(last.progress, error)
        else:
            _log.info(f"The model {entry.name} is installed", model=entry.name)
            with self._lock:
                del self._known[entry.name]


async def installing_of(request: Request) -> Installing:
    """The installs of the application that a request came to."""
    return cast("Installing", request.app.state.installing)


InstallingOf = Annotated[Installing, Depends(installing_of)]
