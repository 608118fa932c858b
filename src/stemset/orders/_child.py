"""The computing process, seen from outside: start it, talk to it, end it, say how it ended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from subprocess import PIPE
from typing import cast

from stemset.errors import InvalidOrder
from stemset.orders.messages import MAX_MESSAGE_BYTES, ComputingSettings, Message

_GONE_WITHIN_S = 2.0  # a process that a driver holds in the kernel may take longer
_LAST_WORDS_S = 1.0
_SHOWN_BYTES = 80


class Child:
    """A running computing process in a session of its own: Ctrl-C is its owner's to handle.

    Attributes:
        was_killed: Whether we ended it.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, wire: "_Wire") -> None:
        """Take over a process that was started; use ``start``."""
        self.was_killed = False
        self._transport = transport
        self._wire = wire
        self._input = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))

    @classmethod
    async def start(cls, command: Sequence[str], settings: ComputingSettings) -> "Child":
        """Start it and tell it its settings; its standard error is ours.

        Raises:
            OSError: It cannot be started.
        """
        transport, wire = await asyncio.get_running_loop().subprocess_exec(
            _Wire, *command, stdin=PIPE, stdout=PIPE, stderr=None, start_new_session=True
        )
        child = cls(transport, wire)
        child.say(settings)
        return child

    @property
    def pid(self) -> int:
        """Its process id, also that of its process group."""
        return self._transport.get_pid()

    def say(self, message: Message) -> None:
        """Send a line; one that nobody reads any more is dropped."""
        self._input.write(message.line())

    def dismiss(self) -> None:
        """Tell it that nothing more will come: it ends by itself when it is done."""
        self._input.close()

    async def lines(self) -> AsyncIterator[bytes]:
        """What it says, line by line, until it says no more.

        Raises:
            InvalidOrder: A line is longer than any message; its first part is in the message.
        """
        while True:
            try:
                yield await self._wire.output.readuntil()
            except asyncio.IncompleteReadError:
                return  # a line without an end was cut off by the process's own end
            except asyncio.LimitOverrunError:
                begin = await self._wire.output.read(_SHOWN_BYTES + 1)
                raise InvalidOrder(f"{shown(begin)} (longer than any message)") from None

    def kill(self) -> None:
        """End it, and what it started in its group, at once."""
        if not self._wire.exited.is_set():
            self.was_killed = True
            self._kill_group()
            self._wire.end_output_within(_GONE_WITHIN_S)

    async def end(self) -> str:
        """Let it end if it is about to, otherwise end it; returns how it ended, for people."""
        ended = await self._wait(_LAST_WORDS_S)
        self._kill_group()  # what is left of it
        if not ended and not await self._wait(_GONE_WITHIN_S):
            fate = "does not end, even though it was killed"
        else:
            fate = _fate(self._transport.get_returncode()) if ended else "stopped talking"
        self._transport.close()
        return fate

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: PermissionError for a zombie
            os.killpg(self.pid, signal.SIGKILL)

    async def _wait(self, within_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._wire.exited.wait()
        return self._wire.exited.is_set()


class _Wire(asyncio.SubprocessProtocol):
    """Passes on what the event loop notices.

    Not ``asyncio.create_subprocess_exec``: its ``wait`` waits for the pipes as well, in some
    versions of Python, and a grandchild may hold them.
    """

    def __init__(self) -> None:
        self.output = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
        self.exited = asyncio.Event()
        self._open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        process = cast("asyncio.SubprocessTransport", transport)
        self.output.set_transport(cast("asyncio.Transport", process.get_pipe_transport(1)))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1 and self._open:
            self.output.feed_data(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc
        if fd == 1:
            self._end_output()

    def process_exited(self) -> None:
        self.exited.set()
        self.end_output_within(_LAST_WORDS_S)

    def end_output_within(self, seconds: float) -> None:
        """Hear no more after so long, whoever holds the pipe."""
        asyncio.get_running_loop().call_later(seconds, self._end_output)

    def _end_output(self) -> None:
        if self._open:
            self._open = False
            self.output.feed_eof()


def shown(line: bytes) -> str:
    """The first part of a line, fit for a message."""
    part = line[:_SHOWN_BYTES].decode(errors="replace").rstrip()
    return repr(part) + ("…" if len(line) > _SHOWN_BYTES else "")


def _fate(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return "was killed: out of memory? (SIGKILL)"
    if status is not None and status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"ended with status {status}"
