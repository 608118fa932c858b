"""The computing process as something that is always there: one ends, the next is started."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from stemset.errors import InvalidOrder, OrderError
from stemset.orders._child import Child, shown
from stemset.orders.checks import Inspected, is_inspected, parse_inspected
from stemset.orders.messages import (
    ComputingSettings,
    Message,
    Ready,
    Report,
    parse_ready,
    parse_report,
)
from stemset.telemetry import get_logger

_SOUND_S = 10.0  # a process that lived for less is started again after a pause
_PAUSES_S = (1.0, 60.0)
_GOODBYE_S = 1.0

_log = get_logger("orders")


class Owner(Protocol):
    """Who is told what happens to the process."""

    def on_ready(self) -> None:
        """It can take an order."""
        ...

    def on_report(self, report: Report) -> None:
        """It says something."""
        ...

    def on_inspected(self, inspected: Inspected) -> None:
        """It has looked at what it works with."""
        ...

    def on_end(self, fate: str, *, on_purpose: bool) -> None:
        """It has ended.

        Args:
            fate: How, for people: the words after "the computing process".
            on_purpose: Whether we killed it.
        """
        ...


class Process:
    """Starts computing processes, one after the other, until it is stopped."""

    def __init__(self, command: Sequence[str], settings: ComputingSettings, owner: Owner) -> None:
        """Know what to start; nothing is started yet.

        Args:
            command: The program and its arguments.
            settings: What each process is told first.
            owner: Who is told what happens.
        """
        self._command = command
        self._settings = settings
        self._owner = owner
        self._child: Child | None = None
        self._ready: Ready | None = None
        self._is_ready = asyncio.Event()
        self._needed = asyncio.Event()
        self._stopped = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def ready(self) -> Ready | None:
        """What it said when it could take orders; None while it cannot."""
        return self._ready if self._child and not self._child.was_killed else None

    def begin(self) -> None:
        """Make sure that there is a process, or soon will be."""
        self._needed.set()  # an order does not wait for a pause to end
        if not self._stopped and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep(), name="stemset-computing")

    async def wait_ready(self, within_s: float) -> bool:
        """Wait until an order can be taken; returns whether that is so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._is_ready.wait()
        return self.ready is not None

    def say(self, message: Message) -> None:
        """Send it a line."""
        if self._child:
            self._child.say(message)

    def kill(self) -> bool:
        """End it now; the next one is started at once. Returns whether there was one."""
        if self._child:
            self._child.kill()
        self._is_ready.clear()
        return self._child is not None

    async def stop(self) -> None:
        """End it for good, and return when it has ended.

        One that waits for orders may tidy up; others are killed.
        """
        self._stopped = True
        self._needed.set()
        if self._child and self.ready:
            self._child.dismiss()
        else:
            self.kill()
        if self._keeper is not None:
            await asyncio.wait({self._keeper}, timeout=_GOODBYE_S)
            self.kill()
            await asyncio.wait({self._keeper})

    async def _keep(self) -> None:
        clock = asyncio.get_running_loop().time
        pause_s = 0.0
        while not self._stopped:
            begun_s = clock()
            fate, on_purpose = await self._live()
            on_purpose = on_purpose or self._stopped
            if not on_purpose:
                _log.error("Computing process ended", fate=fate)
            self._needed.clear()  # whoever needs the next one says so
            self._owner.on_end(fate, on_purpose=on_purpose)
            sound = on_purpose or clock() - begun_s >= _SOUND_S
            pause_s = 0.0 if sound else min(max(_PAUSES_S[0], 2 * pause_s), _PAUSES_S[1])
            await self._pause(pause_s)

    async def _live(self) -> tuple[str, bool]:
        """Hear a process out, from its start to its end; returns how it ended, and if we did it."""
        try:
            child = await Child.start(self._command, self._settings)
        except OSError as error:
            return f"cannot be started: {error}", False
        self._child = child
        try:
            if self._stopped:
                child.kill()
            return await self._listen(child)
        finally:
            child.kill()
            self._child = self._ready = None
            self._is_ready.clear()

    async def _listen(self, child: Child) -> tuple[str, bool]:
        try:
            async for line in child.lines():
                self._hear(line)
        except OrderError as error:
            child.kill()
            await child.end()
            return f"said what is no message: {error}", False
        return await child.end(), child.was_killed

    def _hear(self, line: bytes) -> None:
        """Take a line. Raises OrderError if it is no message."""
        try:
            message = self._parse(line)
        except OrderError as error:
            raise InvalidOrder(f"{shown(line)} ({error})") from error
        if isinstance(message, Report):
            return self._owner.on_report(message)
        if isinstance(message, Inspected):
            return self._owner.on_inspected(message)
        self._ready = message
        self._is_ready.set()
        _log.info("Computing process ready", device=message.device)
        return self._owner.on_ready()

    def _parse(self, line: bytes) -> Ready | Report | Inspected:
        if not self._ready:
            return parse_ready(line)
        return parse_inspected(line) if is_inspected(line) else parse_report(line)

    async def _pause(self, pause_s: float) -> None:
        """Wait before the next start, unless somebody needs it."""
        if not self._stopped:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._needed.wait()
