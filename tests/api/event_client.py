"""A client of the event stream: a real socket, and the format read by its standard."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WITHIN_S = 20.0


@dataclass
class Message:
    """What stands between two blank lines."""

    event: str | None = None
    data: str | None = None
    id: str | None = None
    retry: str | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.data or "")

    @property
    def number(self) -> int:
        return int(self.id or "")


class EventClient:
    """One open stream."""

    def __init__(self, url: str, path: str, headers: dict[str, str]) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            str(where.hostname), where.port, timeout=WITHIN_S
        )
        self._connection.request("GET", path, headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers

    def next(self) -> Message | None:
        """The next message, None at the end of the stream."""
        message = Message()
        while line := self._response.readline():
            text = line.decode().removesuffix("\n")
            if not text:
                return message
            name, _, value = text.partition(":")
            if name:
                setattr(message, name, value.removeprefix(" "))
            else:
                message.comments.append(value.strip())
        return None

    def event(self) -> Message:
        """The next message that is an event."""
        until_s = time.monotonic() + WITHIN_S
        while True:
            message = self.next()
            assert message is not None, "the stream has ended"
            assert time.monotonic() < until_s, "there is no event, only signs of life"
            if message.data is not None:
                return message

    def until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Events up to the first that is wanted."""
        found = [self.event()]
        while not wanted(found[-1]):
            found.append(self.event())
        return found

    def rest(self) -> list[Message]:
        """All that comes to the end of the stream."""
        return list(iter(self.next, None))

    def close(self) -> None:
        self._response.close()
        self._connection.close()


@contextmanager
def events_of(
    url: str, *, token: str | None = None, last_event_id: str | None = None, query: str = ""
) -> Iterator[EventClient]:
    """Follow a service's events."""
    headers = {"accept": "text/event-stream"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    client = EventClient(url, f"/api/events{query}", headers)
    try:
        yield client
    finally:
        client.close()


def open_unread(url: str) -> socket.socket:
    """Ask for the stream and read nothing of it, with little room for what comes."""
    where = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(WITHIN_S)
    client.connect((str(where.hostname), where.port or 0))
    client.sendall(f"GET /api/events HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    return client
