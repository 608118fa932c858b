"""HTTP whose answers can end the connection at once.

A connection that is closed first sends what is left to send. A client that is there but takes
nothing keeps it open with that for ever, and ASGI has no word for giving up.
"""

from collections.abc import Callable
from typing import Any, cast

from starlette.types import Scope

from stemset.serving.bounded_http import BoundedHttp

_EXTENSION = "stemset.abort"


class AbortableHttp(BoundedHttp):
    """HTTP with bounded heads, which tells the application how to end the connection."""

    def on_message_begin(self) -> None:
        """Begin a call."""
        super().on_message_begin()
        extensions: dict[str, Any] = {_EXTENSION: {"abort": self.transport.abort}}
        self.scope["extensions"] = extensions


def abort_of(scope: Scope) -> Callable[[], None] | None:
    """What ends a call's connection at once; None on another server."""
    extension = scope.get("extensions", {}).get(_EXTENSION, {})
    return cast("Callable[[], None] | None", extension.get("abort"))
