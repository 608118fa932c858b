"""What one client is sent: where it stands first, then what changes, and signs of life between."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

from fastapi.sse import format_sse_event
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api._changes import Change, read_changes
from stemset.api._unbroken import unbroken
from stemset.api.streams import Follower, Streams
from stemset.errors import DatabaseError, Forbidden, NoSpace, Unauthenticated
from stemset.jobs import events
from stemset.jobs.caller import Caller
from stemset.jobs.database import Database
from stemset.jobs.resuming import changed_since

RETRY_MS = 2000
QUIET_S = 15.0
"""A sign of life is sent when nothing else was for so long."""

CHECK_EVERY_S = 30.0
"""How often it is asked whether the caller still may follow."""

_PAGE = 200
_AGAIN_AFTER_S = 1.0


class ClientStream:
    """One client's messages, from ``next`` to ``next``."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        follower: Follower,
        *,
        after: int | None,
        still: Callable[[], Coroutine[None, None, Caller]],
    ) -> None:
        """Begin.

        Args:
            database: The ledger's.
            streams: The streams that this is one of.
            follower: The client's.
            after: Number of the last event that the client knows; None if it is new here.
            still: Finds again who the client is; raises Unauthenticated or Forbidden.
        """
        self._database = database
        self._streams = streams
        self._follower = follower
        self._after = after
        self._still = still
        self._is_behind = True
        self._read_at = 0
        self._now_s = asyncio.get_running_loop().time
        self._sent_at_s = self._checked_at_s = self._now_s()

    async def next(self) -> bytes | None:
        """Wait for the next messages, one or more; None is the end."""
        while not self._streams.closing.is_set() and await self._may_follow():
            messages = await self._messages() or self._sign_of_life()
            if messages:
                self._sent_at_s = self._now_s()
                return messages
        return None

    async def _messages(self) -> bytes:
        """What there is to tell within a moment; there may be nothing."""
        if self._is_behind:
            try:
                return await unbroken(self._catch_up())
            except (DatabaseError, NoSpace):
                await self._follower.next(_AGAIN_AFTER_S)
                return b""
        due_s = min(self._sent_at_s + QUIET_S, self._checked_at_s + CHECK_EVERY_S)
        news = await self._follower.next(max(0.0, due_s - self._now_s()))
        self._is_behind = news.is_cut
        return b"" if news.is_cut else self._told(news.changes)

    async def _catch_up(self) -> bytes:
        """Read what the client missed, or where it begins, from the ledger; a page of it."""
        async with self._streams.catching_up, self._database.reading() as connection:
            if self._after is None:
                return await self._begin(connection, "hello")
            changed = await changed_since(connection, self._after, _PAGE)
            if changed is None:
                return await self._begin(connection, "reset")
            changes = await read_changes(connection, changed)
        self._is_behind = len(changed) == _PAGE
        messages = self._told(changes)
        self._read_at = self._after
        return messages

    async def _begin(self, connection: AsyncConnection, event: str) -> bytes:
        self._after = self._read_at = await events.newest(connection)
        self._is_behind = False
        return format_sse_event(event=event, data_str="{}", id=str(self._after))

    def _told(self, changes: Sequence[Change]) -> bytes:
        """Messages of what the client does not know; it may be told less than is known already."""
        after = self._after or 0
        new = [
            change
            for change in changes
            if (change.number >= self._read_at if change.is_progress else change.number > after)
        ]
        self._after = max([after, *(each.number for each in new if not each.is_progress)])
        return b"".join(each.message for each in new if each.is_for(self._follower.caller))

    def _sign_of_life(self) -> bytes:
        """A comment, and how far the client is, which may be further than what it was sent."""
        if self._now_s() - self._sent_at_s < QUIET_S:
            return b""
        number = None if self._after is None or self._is_behind else str(self._after)
        return format_sse_event(comment="alive", id=number)

    async def _may_follow(self) -> bool:
        if self._now_s() - self._checked_at_s < CHECK_EVERY_S:
            return True
        try:
            self._follower.caller = await unbroken(self._still())
        except (Unauthenticated, Forbidden):
            return False
        except (DatabaseError, NoSpace):
            pass  # nobody can tell; nothing that is new can be read either
        self._checked_at_s = self._now_s()
        return True
