"""Everything that routes need, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from stemset.config import Profile, Settings
from stemset.dispatch.cost import Rate
from stemset.dispatch.threads import Threads
from stemset.errors import UnknownProfile
from stemset.jobs.caller import Caller
from stemset.jobs.costs import by_queue
from stemset.jobs.database import Database
from stemset.jobs.job import Queue
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store


@dataclass(frozen=True, slots=True)
class Service:
    """What the process has.

    Attributes:
        settings: What was configured.
        database: The ledger's database.
        store: Where recordings and stems lie.
        store_settings: Which store that is; of kind ``folder`` where no bucket is configured.
        threads: Threads for calls to the store and the disk.
        scratch: Folder on this machine's disk for uploads in the making.
        is_open: Whether a call without a token is the local user's: on loopback only.
    """

    settings: Settings
    database: Database
    store: Store
    store_settings: StoreSettings
    threads: Threads
    scratch: Path
    is_open: bool

    def profile_for(self, caller: Caller, name: str) -> Profile:
        """Look a profile up that a caller may use.

        Raises:
            UnknownProfile: There is none; the message lists those that the caller may know of.
            Forbidden: It is not the caller's.
        """
        profile = self.settings.profiles.get(name)
        if profile is None:
            seen = ", ".join(filter(caller.sees, self.settings.profiles)) or "none"
            raise UnknownProfile(f"There is no profile {name!r}. Known profiles: {seen}.")
        caller.check_profile(name)
        return profile

    def queue_of(self, profile: Profile) -> Queue:
        """Who works a profile's jobs off: the worker, if there is one."""
        is_remote = profile.remote and self.settings.worker_url is not None
        return Queue.WORKER if is_remote else Queue.LOCAL

    @property
    def rates(self) -> Mapping[Queue, Rate]:
        """What computing costs, by who does it."""
        return by_queue(worker=self.settings.worker_rate, local=self.settings.local_rate)


async def service_of(request: Request) -> Service:
    """The service of the application that a request came to."""
    return cast("Service", request.app.state.service)


ServiceOf = Annotated[Service, Depends(service_of)]
