"""What uploads that run at the same time share, one for each application."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from stemset.api import metrics
from stemset.api.service import Service, service_of
from stemset.api.uploads.body import Pace
from stemset.errors import ServiceBusy
from stemset.jobs.caller import Caller
from stemset.storage.presigned_upload import PresignedUploads

FOLDER = "uploads"
"""Where spools lie, below the scratch folder."""

_PROBES = 2
_LOOKS = 2
_MOVES = 3
_ENDS = 6


class Desk:
    """What uploads share.

    Attributes:
        service: What the process has.
        pace: The least that a client must send.
        probing: Held by whoever has a decoder process running.
        looking: Held by whoever looks at a recording in the bucket.
        moving: Held by whoever hashes a whole file or moves it into the store, so that some of the
            service's threads stay free for those who receive.
        ending: Held by whoever has received all of a file and makes it a recording. Of hundreds
            that end at once, most wait here for as long as it takes, and not for the database's
            few connections, for which nobody waits long.
    """

    def __init__(self, service: Service, pace: Pace | None = None) -> None:
        """Begin with nothing under way."""
        self.service = service
        self.pace = pace or Pace()
        self.probing = asyncio.Semaphore(_PROBES)
        self.looking = asyncio.Semaphore(_LOOKS)
        self.moving = asyncio.Semaphore(_MOVES)
        self.ending = asyncio.Semaphore(_ENDS)
        self._receiving = 0
        self._locks: dict[str, _Lock] = {}
        self._presigned: PresignedUploads | None = None

    @property
    def folder(self) -> Path:
        """The folder of spools; made if need be."""
        folder = self.service.scratch / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def presigned(self) -> PresignedUploads:
        """Uploads past this service. Raises StorageRefused where the store is no bucket."""
        if self._presigned is None:
            self._presigned = PresignedUploads(self.service.store_settings)
        return self._presigned

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Receive a body. Raises ServiceBusy if too many others do."""
        if self._receiving >= self.service.settings.max_uploads:
            raise ServiceBusy(f"{self._receiving} uploads are being received; more are too many.")
        self._receiving += 1
        with metrics.UPLOADS_IN_FLIGHT.track_inprogress():
            try:
                yield
            finally:
                self._receiving -= 1

    @asynccontextmanager
    async def alone_with(self, upload_id: str) -> AsyncIterator[None]:
        """Be the only one at work on an upload; others wait."""
        lock = self._locks.setdefault(upload_id, _Lock())
        lock.users += 1
        try:
            async with lock.lock:
                yield
        finally:
            lock.users -= 1
            if not lock.users:
                del self._locks[upload_id]

    def profile_for(self, caller: Caller, name: str | None) -> str:
        """The profile that an upload is for, by default the first that the caller may use.

        Raises:
            UnknownProfile: There is none of this name.
            Forbidden: It is not the caller's, or none is.
        """
        profiles = self.service.settings.profiles
        if not name:
            name = next(filter(caller.sees, profiles), next(iter(profiles), ""))
        return self.service.profile_for(caller, name).name


class _Lock:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


async def desk_of(request: Request) -> Desk:
    """The desk of the application that a request came to."""
    state = request.app.state
    if not hasattr(state, "uploads"):
        state.uploads = Desk(await service_of(request))
    return cast("Desk", state.uploads)


DeskOf = Annotated[Desk, Depends(desk_of)]
