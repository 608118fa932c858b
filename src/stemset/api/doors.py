"""By which door a call came in. The listener decides it, never anything that a caller sends.

Each listener's application marks its calls. One that is not marked came from other machines, as far
as anybody knows, and needs a token.
"""

from enum import StrEnum

from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "stemset.door"


class Door(StrEnum):
    """A listener, by who may come in.

    ``LOCAL`` is loopback with no sign-in: whoever comes is the local user. ``NETWORK`` asks for a
    token, ``PHONES`` (encrypted, ``--lan``) for that of a phone that was paired.
    """

    LOCAL = "local"
    NETWORK = "network"
    PHONES = "phones"


class Through:
    """Marks calls with the door that they came in by."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Stand before an application, behind one listener."""
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Mark a call and pass it on."""
        scope[_KEY] = self._door
        await self._app(scope, receive, send)


def door_of(scope: Scope) -> Door:
    """The door that a call came in by."""
    return scope.get(_KEY, Door.NETWORK)
