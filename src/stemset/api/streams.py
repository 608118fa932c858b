"""The streams of events that clients follow, and what feeds them.

However many follow, what changed is read from the ledger once (``Streams.run``) and handed to each
as the same bytes. A follower that does not keep up costs a bounded number of references: of each
subject it gets the latest only, and if even these become too many, it reads what it missed from the
ledger, as one does that was away.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api import metrics
from stemset.api._changes import Change, read_changes, read_progress
from stemset.api.service import Service
from stemset.errors import DatabaseError, NoSpace, ServiceBusy
from stemset.jobs.caller import Caller
from stemset.jobs.events import Event, Kind
from stemset.jobs.listening import Batch, Listening
from stemset.telemetry import get_logger

PROGRESS_EVERY_S = 0.5

AT_MOST = 1000
"""Changed subjects that one follower can be behind."""

_CATCH_UP_AT_ONCE = 3  # when all come back at once, other calls still find a connection
_READ_AT_ONCE = 200
_AGAIN_AFTER_S = 1.0
_LAST_WORDS_S = 0.5

_log = get_logger("api")

Some = TypeVar("Some", Event, str)
_Read = Callable[[AsyncConnection, Sequence[Some]], Coroutine[None, None, list[Change]]]


@dataclass(frozen=True, slots=True)
class News:
    """What a follower is to be told.

    Attributes:
        changes: What changed, in the order of events, then how far jobs are.
        is_cut: What changed before these must be read from the ledger.
    """

    changes: tuple[Change, ...] = ()
    is_cut: bool = False


class Follower:
    """What one client has not been sent yet."""

    def __init__(self, caller: Caller) -> None:
        """Begin with nothing. See ``Streams.follow``."""
        self.caller = caller
        self._events: dict[tuple[Kind, str], Change] = {}
        self._progress: dict[str, Change] = {}
        self._is_cut = False
        self._there = asyncio.Event()
        self._sending: asyncio.Timeout | None = None

    def put(self, change: Change) -> None:
        """Take a change, if the client may see it."""
        if not change.is_for(self.caller):
            return
        if change.is_progress:
            self._progress[change.subject] = change
        else:
            self._progress.pop(change.subject, None)  # it was read earlier
            self._events.pop((change.kind, change.subject), None)  # the dictionary stays in order
            self._events[change.kind, change.subject] = change
        if len(self._events) + len(self._progress) > AT_MOST:
            self.cut()
        self._there.set()

    def cut(self) -> None:
        """Have it read from the ledger."""
        self._events.clear()
        self._progress.clear()
        self._is_cut = True
        self._there.set()

    def hurry(self) -> None:
        """Let ``next`` return at once, and ``sending`` soon give up."""
        self._there.set()
        if self._sending is not None:
            self._sending.reschedule(asyncio.get_running_loop().time() + _LAST_WORDS_S)

    @asynccontextmanager
    async def sending(self, within_s: float) -> AsyncIterator[None]:
        """While the client takes what it is sent. Raises TimeoutError if it does not in time."""
        async with asyncio.timeout(within_s) as limit:
            self._sending = limit
            try:
                yield
            finally:
                self._sending = None

    async def next(self, within_s: float) -> News:
        """Wait for news, for so many seconds at most; there may be none."""
        try:
            async with asyncio.timeout(within_s):
                await self._there.wait()
        except TimeoutError:
            return News()
        news = News((*self._events.values(), *self._progress.values()), self._is_cut)
        self._events.clear()
        self._progress.clear()
        self._is_cut = False
        self._there.clear()
        return news


class Streams:
    """Feeds all streams of the process. Used within one event loop."""

    def __init__(
        self,
        service: Service,
        listening: Listening,
        *,
        progress_every_s: float = PROGRESS_EVERY_S,
    ) -> None:
        """Know what to read; nothing is read yet.

        Args:
            service: The service.
            listening: What tells of changes.
            progress_every_s: How far a job is, is told this often at most.
        """
        self.closing = asyncio.Event()
        self.catching_up = asyncio.Semaphore(_CATCH_UP_AT_ONCE)
        self._service = service
        self._listening = listening
        self._progress_every_s = progress_every_s
        self._followers: set[Follower] = set()

    def __len__(self) -> int:
        """How many follow."""
        return len(self._followers)

    def close(self) -> None:
        """End all streams, and begin no other: the server waits for open ones when it stops."""
        self.closing.set()
        for follower in self._followers:
            follower.hurry()

    def check_open(self) -> None:
        """Refuse to begin a stream while the server stops. Raises ServiceBusy."""
        if self.closing.is_set():
            raise ServiceBusy("The server is about to stop.")

    @contextmanager
    def follow(self, caller: Caller) -> Iterator[Follower]:
        """Follow what a caller may see, from now on."""
        follower = Follower(caller)
        self._followers.add(follower)
        metrics.EVENT_CLIENTS.inc()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            metrics.EVENT_CLIENTS.dec()

    async def run(self) -> None:
        """Read what changes and hand it on, until cancelled."""
        now_s = asyncio.get_running_loop().time
        further: set[str] = set()
        due_s = now_s()
        with self._listening.subscribe() as subscription:
            while True:
                batch = await subscription.next(max(0.0, due_s - now_s()) if further else None)
                await self._tell(batch)
                further |= batch.progress
                if further and now_s() >= due_s:
                    await self._hand_on(read_progress, sorted(further))
                    further.clear()
                    due_s = now_s() + self._progress_every_s

    async def _tell(self, batch: Batch) -> None:
        if batch.is_cut:
            for follower in self._followers:
                follower.cut()
        await self._hand_on(read_changes, batch.events)

    async def _hand_on(self, read: _Read[Some], changed: Sequence[Some]) -> None:
        for begin in range(0, len(changed), _READ_AT_ONCE):
            changes = await self._changes(read, changed[begin : begin + _READ_AT_ONCE])
            for change, follower in itertools.product(changes, self._followers):
                follower.put(change)

    async def _changes(self, read: _Read[Some], changed: Sequence[Some]) -> list[Change]:
        """Read how things stand, however long the database is away; nothing if nobody follows."""
        while self._followers:
            try:
                async with self._service.database.reading() as connection:
                    return await read(connection, changed)
            except (DatabaseError, NoSpace) as error:
                _log.warning("Changes cannot be read for now", code=error.code, detail=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)
        return []


async def streams_of(request: Request) -> Streams:
    """The streams of the application that a request came to."""
    return cast("Streams", request.app.state.streams)


StreamsOf = Annotated[Streams, Depends(streams_of)]
