"""Connections of this process: how many there may be, and which one makes room for the next.

Each takes a descriptor, and a process has so many and no more. Whoever opens connections and holds
them would leave none for others, for files, for the database. So there is a bound, for all
listeners together. At the bound the next one is taken all the same, and one goes that is missed
least: the one that has been without a call under way for longest; where there is none, the one
whose client has taken nothing of its answer for longest. Where all are at work, the next one is
closed.
"""

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from stemset.telemetry import get_logger

_log = get_logger("serving")

MOST = 4096
"""With nothing under way they take some 60 MB."""

RESERVE = 256
"""Descriptors for what the process does besides: the database, threads, pipes, libraries."""

FOR_EACH = 2
"""Descriptors of a connection: what it sends, or is sent, may lie in a file."""

_LEAST = 16
_WARN_EVERY_S = 60.0


class Connections:
    """Those that share a bound.

    Attributes:
        at_most: The bound. Until one that makes room has ended, there is one more.
        count: How many are open.
        idle: Those without a call under way, the one that is for longest first.
        stuck: Those whose client takes nothing of an answer, in that order.
    """

    def __init__(self, at_most: int) -> None:
        """There are none yet."""
        self.at_most = at_most
        self.count = 0
        self.idle: dict[Connection, None] = {}
        self.stuck: dict[Connection, None] = {}
        self._warned_s = -_WARN_EVERY_S

    @property
    def are_too_many(self) -> bool:
        """Whether one has yet to end that makes room: it does in the loop's next round."""
        return self.count > self.at_most

    def have_room(self) -> bool:
        """Whether one more may come; one that is missed least is told to go for it, if need be."""
        if self.count < self.at_most:
            return True
        self._warn()
        leaving = next(iter(self.idle or self.stuck), None)
        if leaving is None:
            return False
        leaving.leave()
        return True

    def _warn(self) -> None:
        if time.monotonic() - self._warned_s >= _WARN_EVERY_S:
            self._warned_s = time.monotonic()
            _log.warning(
                "There are as many connections as there may be: idle ones make room",
                connections=self.count,
                idle=len(self.idle),
            )


class Connection:
    """An open connection. What is said of it after its end changes nothing."""

    def __init__(self, connections: Connections, end: Callable[[], object]) -> None:
        """Count one, on which nothing is under way.

        Args:
            connections: Those that it is one of.
            end: What ends it.
        """
        self._all = connections
        self._end = end
        self._may_leave = self._is_counted = True
        connections.count += 1
        self.is_idle()

    def is_ended_by(self, end: Callable[[], object]) -> None:
        """Say what ends it from now on."""
        self._end = end

    def is_idle(self) -> None:
        """Say that no call is under way."""
        self.is_at_work()
        if self._may_leave:
            self._all.idle[self] = None

    def is_at_work(self) -> None:
        """Say that one is, or that its client takes the answer again."""
        self._all.idle.pop(self, None)
        self._all.stuck.pop(self, None)

    def is_stuck(self) -> None:
        """Say that its client takes nothing of an answer."""
        if self._may_leave and self not in self._all.idle:
            self._all.stuck[self] = None

    def leave(self) -> None:
        """End it; its descriptor is free in the loop's next round."""
        self._let_go()
        self._end()

    def has_ended(self) -> None:
        """Count it no more."""
        self._let_go()
        self._end = _nothing
        self._all.count -= self._is_counted
        self._is_counted = False

    def _let_go(self) -> None:
        self.is_at_work()
        self._may_leave = False


def uncounted() -> Connection:
    """What stands for a connection that somebody else has accepted."""
    connection = Connection(Connections(0), _nothing)
    connection.has_ended()
    return connection


def _nothing() -> None:
    """What ends a connection that has ended."""


@cache
def connections_of_this_process() -> Connections:
    """Those of all its listeners; the process is allowed as many descriptors as they may take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RESERVE + FOR_EACH * MOST
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):  # a system may have a bound below the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if soft == resource.RLIM_INFINITY else soft
    return Connections(max(_LEAST, min(MOST, (allowed - RESERVE) // FOR_EACH)))
