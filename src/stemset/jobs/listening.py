"""Hearing what changed, in whatever process it was changed.

One connection of the process listens. When the database was away, what was committed meanwhile is
read from the events: nothing is missed, only late. Who follows is told which subjects changed, each
once, however slowly it follows; how they stand it reads itself.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from stemset.errors import StemsetError
from stemset.jobs import events
from stemset.jobs._notices import Notice, listening_connection, notices
from stemset.jobs.database import Database
from stemset.jobs.events import Event, Kind
from stemset.jobs.resuming import changed_since
from stemset.telemetry import get_logger

CHECK_EVERY_S = 5.0
CHECK_WITHIN_S = 5.0

AT_MOST = 10_000
"""Changed subjects that are remembered for one who follows slowly."""

_PAGE = 1000
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0

_log = get_logger("jobs")

Listener = Callable[[Kind, str], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """What changed since the last batch.

    Attributes:
        events: The newest event of each subject that changed, in the order of their numbers.
        progress: Ids of jobs that got further.
        is_cut: Events before these are missing: read them from the ledger, after the last number
            that is known.
    """

    events: tuple[Event, ...] = ()
    progress: frozenset[str] = frozenset()
    is_cut: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.events or self.progress or self.is_cut)


class Subscription:
    """What one follower has not been told yet: each subject once, and not more than a limit."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        """Begin with nothing. See ``Listening.subscribe``."""
        self._at_most = at_most
        self._events: dict[tuple[Kind, str], int] = {}
        self._progress: set[str] = set()
        self._is_cut = False
        self._there = asyncio.Event()

    def put(self, notice: Notice) -> None:
        """Note a change."""
        if notice.number is None:
            self._progress.add(notice.subject)
        else:
            self._events.pop((notice.kind, notice.subject), None)  # the dictionary stays in order
            self._events[notice.kind, notice.subject] = notice.number
        if len(self._events) + len(self._progress) > self._at_most:
            self.cut()
        self._there.set()

    def cut(self) -> None:
        """Forget what was noted: the follower must read what changed from the ledger."""
        self._events.clear()
        self._progress.clear()
        self._is_cut = True
        self._there.set()

    async def next(self, within_s: float | None = None) -> Batch:
        """Wait for what changed.

        Args:
            within_s: For so long at most; None for as long as it takes.

        Returns:
            All that changed since the last batch, an empty batch if nothing did in time.
        """
        try:
            async with asyncio.timeout(within_s):
                await self._there.wait()
        except TimeoutError:
            return Batch()
        return self._take()

    def __aiter__(self) -> "Subscription":
        """Follow without end."""
        return self

    async def __anext__(self) -> Batch:
        """Wait for the next batch, which is not empty."""
        return await self.next()

    def _take(self) -> Batch:
        changed = tuple(Event(number, *key) for key, number in self._events.items())
        batch = Batch(changed, frozenset(self._progress), self._is_cut)
        self._events.clear()
        self._progress.clear()
        self._is_cut = False
        self._there.clear()
        return batch


class Listening:
    """Hears of all changes and passes them on. Used within one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        check_every_s: float = CHECK_EVERY_S,
        check_within_s: float = CHECK_WITHIN_S,
    ) -> None:
        """Know the database; nothing is connected yet.

        Args:
            database: The ledger's.
            check_every_s: A silent server is asked whether it is there after so many seconds.
            check_within_s: It is given up if it does not answer for so many.
        """
        self._database = database
        self._check_every_s = check_every_s
        self._check_within_s = check_within_s
        self._last: int | None = None
        self._waits = 0
        self._subscriptions: set[Subscription] = set()
        self._listeners: dict[object, Listener] = {}

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Follow from now on, whether the database is there or not."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Call a function on each event (not on progress), in the order of their numbers.

        Args:
            listener: Takes what changed and its id. It must neither block nor raise.

        Returns:
            What ends it.
        """
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    async def begin(self) -> None:
        """Know where to begin: of what is committed from here on, no listener misses anything.

        Without it this happens when ``run`` has its first connection. Raises what
        ``Database.transaction`` does.
        """
        async with self._database.transaction() as connection:
            self._last = await events.newest(connection)

    async def run(self) -> None:
        """Listen, and listen again whenever the database was away, until cancelled."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, TimeoutError, StemsetError) as error:
                if not self._waits:
                    _log.warning("Events are not heard for now", detail=str(error).strip())
            self._waits += 1
            await asyncio.sleep(min(_FIRST_WAIT_S * 2 ** (self._waits - 1), _LONGEST_WAIT_S))

    async def _listen(self) -> None:
        async with listening_connection(self._database) as connection:
            await self._catch_up()
            if self._waits:
                _log.info("Events are heard again", number=self._last)
            self._waits = 0
            heard = notices(
                connection,
                check_every_s=self._check_every_s,
                check_within_s=self._check_within_s,
            )
            async for notice in heard:
                self._tell(notice)

    async def _catch_up(self) -> None:
        """Tell what was committed while nobody listened; what is heard from here on comes later."""
        while self._last is not None:
            async with self._database.transaction() as connection:
                missed = await changed_since(connection, self._last, _PAGE)
            if missed is None:
                break
            for event in missed:
                self._tell(Notice(event.id, event.kind, event.subject))
            if len(missed) < _PAGE:
                return
        await self.begin()
        for subscription in self._subscriptions:
            subscription.cut()

    def _tell(self, notice: Notice) -> None:
        if notice.number is not None:
            if notice.number <= (self._last or 0):
                return  # it was heard while it was read
            self._last = notice.number
            for listener in list(self._listeners.values()):
                listener(notice.kind, notice.subject)
        for subscription in self._subscriptions:
            subscription.put(notice)
